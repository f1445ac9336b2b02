import json, sys

report, code = sys.argv[1], int(sys.argv[2])
verdict = {"success": False, "verdict": "timeout", "cause": "the wall-clock limit was reached", "return_code": code}
for line in (json.dumps(verdict), "waxcell: the wall-clock limit was reached"):
    print(line)
    print(line, file=sys.stderr)
try:
    with open(report, "w") as file:
        json.dump(verdict, file)
except OSError:
    pass
sys.exit(code)

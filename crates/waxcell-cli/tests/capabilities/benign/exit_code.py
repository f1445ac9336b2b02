import sys


def check(path):
    with open(path) as source:
        return all("," in line for line in source)


if not check("data/sales.csv"):
    print("bad", file=sys.stderr)
    sys.exit(1)
print("good")
sys.exit(3)

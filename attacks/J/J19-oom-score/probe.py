import sys

for process, score in ((sys.argv[1], 1000), ("self", -1000)):
    try:
        with open(f"/proc/{process}/oom_score_adj", "r+") as file:
            file.write(str(score))
    except OSError:
        pass

import os, sys

readme, data = sys.argv[1:]
for old, new in ((f"{data}/new", "new"), (f"{data}/new", readme), ("folder", f"{data}/folder"), (readme, f"{data}/readme")):
    try:
        os.rename(old, new)
    except OSError:
        pass

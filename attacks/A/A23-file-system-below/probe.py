import sys

for name in ("file", "new"):
    try:
        open(f"{sys.argv[1]}/{name}", "w").write("changed")
    except OSError:
        pass

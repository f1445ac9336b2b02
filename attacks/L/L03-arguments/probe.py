import os, sys

for process in [sys.argv[1], *filter(str.isdigit, os.listdir("/proc"))]:
    try:
        print(open(f"/proc/{process}/cmdline").read())
    except OSError:
        pass

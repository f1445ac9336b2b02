import glob, sys

for process in [f"/proc/{sys.argv[1]}"] + sorted(glob.glob("/proc/[0-9]*")):
    for file in ("environ", "cmdline", "maps", "task/1/environ"):
        try:
            print(open(f"{process}/{file}", errors="replace").read())
        except OSError:
            pass

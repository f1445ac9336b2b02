import glob, os, sys, time

shared = sys.argv[1]
end = time.monotonic() + 15
while not os.path.exists(f"{shared}/up"):
    if time.monotonic() > end:
        sys.exit("there is no sibling")
    time.sleep(0.01)

for file in glob.glob("/proc/[0-9]*/fd/*"):
    try:
        # Only what has no name: a pipe could be waited for without end.
        if os.readlink(file).startswith("/tmp/#"):
            print(open(file, "rb").read(100).decode())
    except (OSError, UnicodeDecodeError):
        pass

import os, sys, time

here, project = sys.argv[1:]
end = time.monotonic() + 15
while not os.path.exists(f"{project}/done") and time.monotonic() < end:
    time.sleep(0.01)

name = here.replace("/", "-")
for folder in ("/tmp", "/var/tmp", "/dev/shm"):
    try:
        print(open(f"{folder}/{name}").read())
        os.unlink(f"{folder}/{name}")
    except OSError:
        pass
# Until whoever had it run has cleaned up.
time.sleep(0.7)

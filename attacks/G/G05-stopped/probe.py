import os, sys, time

kept = sys.argv[1]
open("data/up", "w").close()
end = time.monotonic() + 8
while not os.path.exists("data/stopped") and time.monotonic() < end:
    time.sleep(0.01)
for call in (lambda: os.chmod(kept, 0o600), lambda: os.unlink(kept)):
    try:
        call()
    except PermissionError:
        pass

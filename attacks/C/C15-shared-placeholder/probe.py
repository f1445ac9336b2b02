import os, sys, time

new, up, gone = sys.argv[1:]
end = time.monotonic() + 15
while not os.path.exists(up) and time.monotonic() < end:
    time.sleep(0.01)
try:
    os.rmdir(new)
except OSError:
    pass
open(gone, "w").close()
time.sleep(0.4)

import ctypes, os, sys, time

PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, 0)
log = os.open(sys.argv[1], os.O_WRONLY)
open("data/up", "w").close()
end = time.monotonic() + 8
while not os.path.exists("data/killed") and time.monotonic() < end:
    time.sleep(0.01)
time.sleep(0.1)
os.write(log, b"still here")

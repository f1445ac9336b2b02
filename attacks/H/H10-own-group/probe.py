import os, signal, sys, time

if os.fork() == 0:
    os.setsid()
    time.sleep(3)
    os._exit(0)
time.sleep(0.1)
# Its parent, but only where that is nobody on the host.
if os.readlink("/proc/self/ns/pid") != sys.argv[1]:
    for pid in (os.getppid(), 1):
        for number in signal.valid_signals():
            try:
                os.kill(pid, number)
            except PermissionError:
                pass
os.kill(0, signal.SIGKILL)

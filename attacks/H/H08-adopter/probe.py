import ctypes, os, time

PR_SET_CHILD_SUBREAPER = 36
if os.fork() == 0:
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(3)
        os._exit(0)
    time.sleep(3)
os._exit(0)

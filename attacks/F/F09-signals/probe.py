import ctypes, signal

chmod = ctypes.CDLL(None).chmod
signal.signal(signal.SIGALRM, lambda *_: None)
for restart in (True, False):
    signal.siginterrupt(signal.SIGALRM, not restart)
    signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
    for _ in range(2000):
        chmod(b"data/file", 0o600)
    signal.setitimer(signal.ITIMER_REAL, 0)

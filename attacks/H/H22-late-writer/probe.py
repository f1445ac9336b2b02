import os, signal, sys, threading, time


patience = int(sys.argv[2])


def late(*_):
    try:
        open(sys.argv[1], "w").close()
    except OSError:
        pass


armed, arms = os.pipe()
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 0.5 * patience)
    threading.Timer(0.5 * patience, late).start()
    os.write(arms, b"x")
    time.sleep(2 * patience)
    os._exit(0)
os.read(armed, 1)

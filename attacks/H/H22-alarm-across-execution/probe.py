import os, signal, time

if os.fork() == 0:
    os.setsid()
    time.sleep(3)
    os._exit(0)
signal.setitimer(signal.ITIMER_REAL, 0.1)
os.execv("/bin/sleep", ["sleep", "3"])

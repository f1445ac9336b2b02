import os, signal, time

if os.fork() == 0:
    os.setsid()
    time.sleep(3)
    os._exit(0)
os.kill(os.getpid(), signal.SIGXCPU)

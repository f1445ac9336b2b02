import os, signal, time

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range(12):
    if os.fork() == 0:
        while time.process_time() < 0.1:
            pass
        # So much for each tenth of a second.
        os.write(1, b"x" * 1000)
        os._exit(0)
    try:
        os.wait()
    except ChildProcessError:
        pass

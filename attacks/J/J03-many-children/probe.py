import os, time

for _ in range(12):
    child = os.fork()
    if child == 0:
        while time.process_time() < 0.1:
            pass
        # So much for each tenth of a second.
        os.write(1, b"x" * 1000)
        os._exit(0)
    os.waitpid(child, 0)

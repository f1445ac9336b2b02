import os, time

for _ in range(300):
    if os.fork() == 0:
        while time.process_time() < 0.01:
            pass
        # So much for each hundredth of a second.
        os.write(1, b"x" * 100)
        os._exit(0)
    os.wait()

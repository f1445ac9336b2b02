import os, time

for _ in range(60):
    os.write(1, b".")
    time.sleep(0.05)

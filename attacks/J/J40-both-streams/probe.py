import os

for turn in range(1000):
    os.write(1 + turn % 2, b"x" * 4096)

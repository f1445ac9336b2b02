import os, sys

os.chdir(sys.argv[1])
with open("part", "wb", buffering=0) as file:
    for _ in range(64):
        os.pwrite(file.fileno(), b"x" * (1 << 20), 0)
        os.fdatasync(file.fileno())
os.mkdir("whole")

import os, sys, time

os.chdir(sys.argv[1])
for number in range(16):
    with open(f"part{number}", "ab", buffering=0) as file:
        for _ in range(64):
            file.write(b"x" * 65536)
    # There is always time to look.
    time.sleep(0.02)
os.mkdir("whole")

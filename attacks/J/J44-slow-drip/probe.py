import os, sys, time

patience = int(sys.argv[1])
for _ in range(60 * patience):
    os.write(1, b".")
    time.sleep(0.05)

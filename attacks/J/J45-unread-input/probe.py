import os, sys, time

patience = int(sys.argv[1])
time.sleep(0.1)
os.close(0)
time.sleep(3 * patience)

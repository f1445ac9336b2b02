import sys, time

patience = int(sys.argv[1])
time.sleep(3 * patience)

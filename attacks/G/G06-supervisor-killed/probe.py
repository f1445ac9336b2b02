import os, sys, time

end = time.monotonic() + 15
while not os.path.exists(sys.argv[1]):
    if time.monotonic() > end:
        sys.exit("nobody was killed")
    time.sleep(0.02)

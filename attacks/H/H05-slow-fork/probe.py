import os, sys, time

patience = int(sys.argv[1])
end = time.monotonic() + 3 * patience
while time.monotonic() < end:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)

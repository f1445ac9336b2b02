import os, sys, time

patience = int(sys.argv[1])
child = os.fork()
if child == 0:
    held = bytearray()
    for _ in range(250):
        held += b"x" * (1 << 20)
        time.sleep(0.001)
    os._exit(0)
os.waitpid(child, 0)
time.sleep(3 * patience)

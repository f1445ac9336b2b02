import os, signal, sys, time

# Until the other one is going on.
time.sleep(0.4)
try:
    os.kill(int(sys.argv[1]), signal.SIGKILL)
except (ProcessLookupError, PermissionError):
    pass
held = bytearray()
for _ in range(100):
    held += b"x" * (1 << 20)
    time.sleep(0.001)
time.sleep(0.3)

import time

held = bytearray()
for _ in range(250):
    held += b"x" * (1 << 20)
    time.sleep(0.001)
time.sleep(0.2)

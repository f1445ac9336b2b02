import mmap, time

MAP_NORESERVE = 0x4000
room = mmap.mmap(-1, 1 << 40, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
for place in range(250):
    for page in range(256):
        # Pages far from each other.
        room[place * (1 << 31) + page * 4096] = 1
    time.sleep(0.001)
time.sleep(0.2)

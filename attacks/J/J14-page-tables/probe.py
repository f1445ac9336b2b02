import mmap, os, time

MAP_NORESERVE, MADV_NOHUGEPAGE = 0x4000, 15
STEP = 1 << 21
room = mmap.mmap(-1, 50_000 * STEP, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
room.madvise(MADV_NOHUGEPAGE)
for place in range(50_000):
    # Reading is enough: a table of 4 KiB for one empty page.
    room[place * STEP]
    if place % 2560 == 2559:
        # So much for ten megabytes.
        os.write(1, b"x" * 1000)
        time.sleep(0.01)
time.sleep(0.2)

import mmap, os, time

room = mmap.mmap(-1, 250 << 20)
for megabyte in range(250):
    begin = megabyte << 20
    room[begin : begin + (1 << 20)] = b"x" * (1 << 20)
    room.madvise(mmap.MADV_DONTNEED, begin, 1 << 20)
    if megabyte % 10 == 9:
        # So much for ten megabytes.
        os.write(1, b"x" * 1000)
        time.sleep(0.01)
time.sleep(0.2)

import errno, mmap, os, time

file = os.open(os.environ["HOME"] + "/file", os.O_RDWR | os.O_CREAT)
try:
    os.posix_fallocate(file, 0, 80 << 20)
except OSError as error:
    if error.errno != errno.ENOSPC:
        raise
else:
    # What was taken is seen when it is mapped.
    sum(mmap.mmap(file, 80 << 20)[::4096])
    time.sleep(0.2)

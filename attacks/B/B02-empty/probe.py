import ctypes, mmap, os, sys

keep = sys.argv[1]
libc = ctypes.CDLL(None)
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16


def file(flags=os.O_RDWR):
    return os.open(keep, flags)


def over(offset=0):
    source = os.memfd_create("source")
    os.write(source, b"x" * 40)
    os.lseek(source, 0, os.SEEK_SET)
    os.copy_file_range(source, file(), 40)


def mapped(flags, protection):
    memory = mmap.mmap(file(flags), 40, mmap.MAP_SHARED, protection)
    memory[:4] = b"xxxx"


for attempt in (
    lambda: os.truncate(keep, 0),
    lambda: os.ftruncate(file(), 0),
    lambda: os.ftruncate(file(os.O_RDONLY), 0),
    lambda: file(os.O_RDONLY | os.O_TRUNC),
    lambda: file(os.O_WRONLY | os.O_TRUNC),
    lambda: libc.fallocate(file(), PUNCH_HOLE | KEEP_SIZE, ctypes.c_long(0), ctypes.c_long(20)),
    lambda: libc.fallocate(file(os.O_RDONLY), ZERO_RANGE, ctypes.c_long(0), ctypes.c_long(20)),
    over,
    lambda: mapped(os.O_RDWR, mmap.PROT_READ | mmap.PROT_WRITE),
    lambda: mapped(os.O_RDONLY, mmap.PROT_READ | mmap.PROT_WRITE),
    lambda: os.pwrite(file(os.O_WRONLY | os.O_APPEND), b"x", 0),
    lambda: os.sendfile(file(), file(os.O_RDONLY), 1, 1),
):
    try:
        attempt()
    except (OSError, ValueError, TypeError, AttributeError):
        pass

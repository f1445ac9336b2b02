import fcntl, os, struct, sys

keep, other = sys.argv[1:]
FICLONE, GETFLAGS, SETFLAGS, SETVERSION, FSSETXATTR = 0x40049409, 0x80086601, 0x40086602, 0x40087602, 0x401C5820
NODUMP = 0x40
for attempt in (
    lambda file: fcntl.ioctl(file, FICLONE, os.open(other, os.O_RDONLY)),
    lambda file: fcntl.ioctl(file, SETFLAGS, struct.pack("l", NODUMP)),
    lambda file: fcntl.ioctl(file, SETVERSION, struct.pack("l", 7)),
    lambda file: fcntl.ioctl(file, FSSETXATTR, struct.pack("5I8x", NODUMP, 0, 0, 0, 0)),
):
    for flags in (os.O_RDONLY, os.O_RDWR):
        try:
            attempt(os.open(keep, flags))
        except OSError:
            pass

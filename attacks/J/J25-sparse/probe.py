import errno, os, sys

TEBIBYTE = 1 << 40
file = os.open(sys.argv[1], os.O_RDWR)
zero = os.open("/dev/zero", os.O_RDONLY)
for attempt in (
    lambda: os.ftruncate(file, TEBIBYTE),
    lambda: os.truncate(sys.argv[1], TEBIBYTE),
    lambda: os.pwrite(file, b"x", TEBIBYTE),
    lambda: (os.lseek(file, TEBIBYTE, os.SEEK_SET), os.sendfile(file, zero, None, 1)),
):
    try:
        attempt()
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise

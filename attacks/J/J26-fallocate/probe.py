import errno, os, sys

os.chdir(sys.argv[1])
file = os.open("part", os.O_RDWR)
taken = 0
for offset in (0, 10 << 20):
    try:
        os.posix_fallocate(file, offset, 20 << 20)
        taken += 1
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
if taken:
    os.rename("part", "taken")

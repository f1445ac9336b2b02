import errno, os, sys

for _ in range(1000):
    try:
        os.unlink(sys.argv[1])
        sys.exit()
    except OSError as error:
        assert error.errno == errno.EPERM

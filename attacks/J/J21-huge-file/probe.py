import errno, os, sys

os.chdir(sys.argv[1])
try:
    with open("part", "ab", buffering=0) as file:
        while file.tell() < 3 << 20:
            file.write(b"x" * 65536)
    os.rename("part", "whole")
except OSError as error:
    if error.errno != errno.EFBIG:
        raise

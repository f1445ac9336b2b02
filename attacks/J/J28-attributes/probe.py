import os, sys

for number in range(100):
    try:
        os.setxattr(sys.argv[1], f"user.{number}", b"x" * 100)
    except OSError:
        pass

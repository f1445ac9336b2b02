import os, sys

data, secret = os.path.abspath(sys.argv[1]), sys.argv[2]
for flags in (os.O_PATH, os.O_RDONLY | os.O_DIRECTORY):
    folder = os.open(data, flags)
    for _ in range(40):
        folder = os.open("..", flags, dir_fd=folder)
    try:
        print(os.read(os.open(secret[1:], os.O_RDONLY, dir_fd=folder), 100))
    except OSError:
        pass
    os.fchdir(folder)
    try:
        print(open(secret[1:]).read())
    except OSError:
        pass

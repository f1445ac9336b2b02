import os, sys

link, file = sys.argv[1:]
for ask in (
    lambda: os.readlink(link),
    lambda: os.readlink(os.path.basename(link), dir_fd=os.open(os.path.dirname(link), os.O_PATH)),
    lambda: os.readlink(f"/proc/self/fd/{os.open(link, os.O_PATH | os.O_NOFOLLOW)}"),
    lambda: os.path.realpath(link),
    lambda: os.lstat(link),
    lambda: os.listxattr(link, follow_symlinks=False),
):
    try:
        print(ask())
    except OSError:
        pass

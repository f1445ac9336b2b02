import os, stat, sys

for number, (kind, device) in enumerate((
    (stat.S_IFCHR, (0, 0)), (stat.S_IFCHR, (1, 3)), (stat.S_IFCHR, (1, 1)), (stat.S_IFBLK, (8, 0)), (stat.S_IFBLK, (7, 0)),
)):
    try:
        os.mknod(f"{sys.argv[1]}/{number}", kind | 0o666, os.makedev(*device))
    except OSError:
        pass

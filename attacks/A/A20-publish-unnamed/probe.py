import ctypes, os, sys

data, made = sys.argv[1:]
libc = ctypes.CDLL(None)
AT_FDCWD, AT_EMPTY_PATH, AT_SYMLINK_FOLLOW = -100, 0x1000, 0x400

file = os.open(data, os.O_TMPFILE | os.O_WRONLY, 0o644)
libc.linkat(file, b"", AT_FDCWD, made.encode(), AT_EMPTY_PATH)
libc.linkat(AT_FDCWD, f"/proc/self/fd/{file}".encode(), AT_FDCWD, f"{made}-2".encode(), AT_SYMLINK_FOLLOW)
named = os.open(f"{data}/named", os.O_CREAT | os.O_WRONLY, 0o644)
libc.linkat(AT_FDCWD, f"/proc/self/fd/{named}".encode(), AT_FDCWD, f"{made}-3".encode(), AT_SYMLINK_FOLLOW)

import ctypes, os

SETFLAGS, FSSETXATTR = 0x40086602, 0x401C5820
TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD = 0x5412, 0x541C, 0x541D, 0x5423
NODUMP = 0x40
libc = ctypes.CDLL(None)
# No terminal: where it is not refused, nothing comes of it.
file = os.dup2(os.open("data/file", os.O_RDWR), 100)
for request in (SETFLAGS, FSSETXATTR, TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD):
    libc.ioctl(file, ctypes.c_ulong(request), (ctypes.c_long * 8)(NODUMP))

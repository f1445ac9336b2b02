import ctypes, os, struct, sys

outside = sys.argv[1]
secret = f"{outside}/secret".encode()
libc = ctypes.CDLL(None)
x86 = os.uname().machine == "x86_64"
AT_FDCWD, OPEN, CREAT, OPENAT, OPENAT2, TRUNCATE = -100, 2, 85, 257 if x86 else 56, 437, 76 if x86 else 45
how = ctypes.create_string_buffer(struct.pack("QQQ", os.O_RDONLY, 0, 0))
make = ctypes.create_string_buffer(struct.pack("QQQ", os.O_WRONLY | os.O_CREAT, 0o644, 0))
attempts = [
    (OPENAT, AT_FDCWD, secret, os.O_RDONLY, 0),
    (OPENAT, AT_FDCWD, secret, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0),
    (OPENAT, 12345, secret, os.O_RDONLY, 0),
    (OPENAT2, AT_FDCWD, secret, how, 24),
    (OPENAT2, AT_FDCWD, f"{outside}/made".encode(), make, 24),
    (OPENAT, AT_FDCWD, f"{outside}/made".encode(), os.O_WRONLY | os.O_CREAT, 0o644),
    (OPENAT, AT_FDCWD, outside.encode(), os.O_WRONLY | os.O_TMPFILE, 0o644),
]
if x86:
    attempts += [(OPEN, secret, os.O_RDONLY, 0), (CREAT, f"{outside}/made".encode(), 0o644)]
for attempt in attempts:
    file = libc.syscall(*attempt)
    if file >= 0:
        try:
            print(os.read(file, 100))
        except OSError:
            pass
libc.syscall(TRUNCATE, secret, 0)

import ctypes, os, sys, time

name, up = sys.argv[1].encode(), sys.argv[2]
libc = ctypes.CDLL(None)
REQUEST_KEY, KEYCTL = 249, 250
SEARCH, READ, USER = 10, 11, -4
end = time.monotonic() + 8
while not os.path.exists(up) and time.monotonic() < end:
    time.sleep(0.01)
text = ctypes.create_string_buffer(100)
for key in (libc.syscall(KEYCTL, SEARCH, USER, b"user", name, 0), libc.syscall(REQUEST_KEY, b"user", name, None, 0)):
    libc.syscall(KEYCTL, READ, key, text, 100, 0)
    print(text.value.decode())

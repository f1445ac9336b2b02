import ctypes, sys

libc = ctypes.CDLL(None)
ADD_KEY, REQUEST_KEY, KEYCTL = 248, 249, 250
PROCESS, GET_PERSISTENT = -2, 22
# The process's own keyring, which goes with it.
libc.syscall(ADD_KEY, b"user", b"attack", b"kept", 4, PROCESS)
libc.syscall(REQUEST_KEY, b"user", b"attack", None, PROCESS)
libc.syscall(KEYCTL, GET_PERSISTENT, -1, PROCESS)
print("ready", flush=True)
sys.stdin.read()

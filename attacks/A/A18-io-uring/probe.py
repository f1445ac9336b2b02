import ctypes, sys

IO_URING_SETUP = 425
ring = ctypes.CDLL(None).syscall(IO_URING_SETUP, 8, ctypes.create_string_buffer(120))
print("ready", flush=True)
sys.stdin.read()

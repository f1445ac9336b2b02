import ctypes, sys

libc = ctypes.CDLL(None)
NO_NEW_PRIVS, SET_SECCOMP, FILTER, NEW_LISTENER = 38, 22, 2, 8
# One that answers every call with "yes", before anybody is asked.
step = (ctypes.c_uint16 * 4)(6, 0, 0, 0x7FFF)


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("steps", ctypes.c_void_p)]


program = ctypes.byref(Program(1, ctypes.addressof(step)))
libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
SECCOMP, SET_MODE_FILTER = 317, 1
libc.syscall(SECCOMP, SET_MODE_FILTER, 0, program)
libc.syscall(SECCOMP, SET_MODE_FILTER, NEW_LISTENER, program)
libc.syscall(SECCOMP, SET_MODE_FILTER, 0, program)

print("ready", flush=True)
sys.stdin.read()

import ctypes, sys

libc = ctypes.CDLL(None)
NO_NEW_PRIVS, SET_SECCOMP, FILTER, NEW_LISTENER = 38, 22, 2, 8
# One that answers every call with "yes", before anybody is asked.
step = (ctypes.c_uint16 * 4)(6, 0, 0, 0x7FFF)


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("steps", ctypes.c_void_p)]


program = ctypes.byref(Program(1, ctypes.addressof(step)))
libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
libc.prctl(SET_SECCOMP, FILTER, program)
libc.prctl(SET_SECCOMP, FILTER, program)
DUMPABLE, TSC, MM, SPECULATION, IO_FLUSHER = 4, 26, 35, 53, 57
USER_DISPATCH, SCHED_CORE, MDWE, MEMORY_MERGE, PTRACER = 59, 62, 65, 67, 0x59616D61
# With values that change nothing where they are taken.
for option, value in (
    (DUMPABLE, 1),
    (TSC, 1),
    (MM, 0),
    (SPECULATION, -1),
    (IO_FLUSHER, 0),
    (USER_DISPATCH, 0),
    (SCHED_CORE, 0),
    (MDWE, 0),
    (MEMORY_MERGE, 0),
    (PTRACER, 0),
):
    libc.prctl(option, value, 0, 0, 0)

print("ready", flush=True)
sys.stdin.read()

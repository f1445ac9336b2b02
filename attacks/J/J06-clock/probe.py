import ctypes, os, sys, time

patience = int(sys.argv[1])
libc = ctypes.CDLL(None)
SETTIMEOFDAY, ADJTIMEX = (164, 159) if os.uname().machine == "x86_64" else (170, 171)
# To no other time than it has: nobody may hold this.
try:
    time.clock_settime_ns(time.CLOCK_REALTIME, time.time_ns())
except PermissionError:
    pass
libc.syscall(SETTIMEOFDAY, None, None)
libc.syscall(ADJTIMEX, ctypes.create_string_buffer(256))
time.sleep(3 * patience)

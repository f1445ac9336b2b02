import ctypes, os, sys, time

project = sys.argv[1]
libc = ctypes.CDLL(None)
ADJTIMEX, SETTIMEOFDAY, CLOCK_SETTIME, CLOCK_ADJTIME = 159, 164, 227, 305
ADJ_TAI, TAI = 0x80, 11
end = time.monotonic() + 8
while not os.path.exists(f"{project}/up") and time.monotonic() < end:
    time.sleep(0.01)


def shift(seconds):
    timex = (ctypes.c_long * 26)()
    timex[0], timex[6] = ADJ_TAI, round(time.clock_gettime(TAI) - time.time()) + seconds
    return libc.syscall(ADJTIMEX, timex)


# Where nobody holds it, these change nothing.
libc.syscall(SETTIMEOFDAY, None, None)
libc.syscall(CLOCK_SETTIME, TAI, (ctypes.c_long * 2)(1, 0))
libc.syscall(CLOCK_ADJTIME, TAI, (ctypes.c_long * 26)())
is_shifted = shift(5) >= 0
end = time.monotonic() + 0.5
while not os.path.exists(f"{project}/seen") and time.monotonic() < end:
    time.sleep(0.01)
shift(-5 if is_shifted else 0)

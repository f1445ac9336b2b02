import ctypes, os, struct, sys

libc = ctypes.CDLL(None)
SCHED_SETATTR = 314 if os.uname().machine == "x86_64" else 274
SCHED_DEADLINE = 6


def attributes(policy, priority, *times):
    return struct.pack("IIQiIQQQ", 48, policy, 0, 0, priority, *times)


# A millisecond of each hundred.
libc.syscall(SCHED_SETATTR, 0, attributes(SCHED_DEADLINE, 0, 1_000_000, 100_000_000, 100_000_000), 0)
for policy in os.SCHED_FIFO, os.SCHED_RR:
    libc.syscall(SCHED_SETATTR, 0, attributes(policy, 50, 0, 0, 0), 0)
    try:
        os.sched_setscheduler(0, policy, os.sched_param(50))
    except PermissionError:
        pass
print("ready", flush=True)
sys.stdin.read()

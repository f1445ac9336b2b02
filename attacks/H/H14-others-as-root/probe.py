import ctypes, os, struct, sys

pid = int(sys.argv[1])
libc = ctypes.CDLL(None)
IOPRIO_SET, SCHED_SETATTR = (251, 314) if os.uname().machine == "x86_64" else (30, 274)
for attempt in (
    lambda: os.setpriority(os.PRIO_PROCESS, pid, 10),
    lambda: os.setpriority(os.PRIO_PGRP, os.getpgid(pid), 10),
    lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)),
    lambda: os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))}),
    lambda: libc.syscall(IOPRIO_SET, 1, pid, 2 << 13 | 7),
    # SCHED_BATCH, nice 5.
    lambda: libc.syscall(SCHED_SETATTR, pid, struct.pack("IIQiIQQQ", 48, 3, 0, 5, 0, 0, 0, 0), 0),
):
    try:
        attempt()
    except OSError:
        pass

import os, signal, sys

# Its parent and group, but only where that is nobody on the host.
if os.readlink("/proc/self/ns/pid") != sys.argv[1]:
    for pid in (1, os.getppid(), 0):
        for number in (signal.SIGTTIN, signal.SIGTTOU, signal.SIGTSTP):
            try:
                os.kill(pid, number)
            except PermissionError:
                pass
os.kill(os.getpid(), signal.SIGSTOP)

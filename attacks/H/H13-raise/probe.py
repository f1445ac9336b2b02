import ctypes, os, resource, struct, sys

# 500 MiB and 4 KiB: a number that nobody else says.
wanted = 524292096
SETRLIMIT = 160 if os.uname().machine == "x86_64" else 164
ctypes.CDLL(None).syscall(SETRLIMIT, resource.RLIMIT_FSIZE, struct.pack("QQ", wanted, wanted))
for attempt in (
    lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (wanted, wanted)),
    lambda: resource.prlimit(os.getpid(), resource.RLIMIT_FSIZE, (wanted, wanted)),
):
    try:
        attempt()
    except (ValueError, PermissionError):
        pass
print("ready", flush=True)
sys.stdin.read()

import os, sys

for path in (
    "/sys/power/state",
    "/sys/kernel/debug",
    "/sys/kernel/tracing",
    "/sys/kernel/security",
    "/sys/fs/bpf",
    "/sys/firmware/efi/efivars",
    "/sys/block",
):
    try:
        os.open(path, os.O_RDONLY)
    except OSError:
        pass
print("ready", flush=True)
sys.stdin.read()

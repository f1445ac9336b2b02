import ctypes, os, sys

for name in ("kallsyms", "cpuinfo", "stat", "meminfo", "modules", "interrupts", "sys/kernel/random/boot_id"):
    try:
        os.open(f"/proc/{name}", os.O_RDONLY)
    except OSError:
        pass
# The kernel's log.
SIZE_BUFFER = 10
ctypes.CDLL(None).klogctl(SIZE_BUFFER, None, 0)
print("ready", flush=True)
sys.stdin.read()

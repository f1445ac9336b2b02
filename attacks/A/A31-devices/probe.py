import glob, os, sys

# What whoever started this had open is no finding.
os.closerange(3, 4096)

# Those that a run has of its own lead to /dev as well.
own = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/ptmx", "/dev/tty"}
known = {f"/dev/{name}" for name in ("kmsg", "mem", "fuse", "loop-control", "kvm", "sda", "vda", "uinput", "nvidia0", "dri/card0")}
for device in known | set(glob.glob("/dev/**", recursive=True)):
    if device in own or device.startswith(("/dev/pts", "/dev/fd", "/dev/std", "/dev/shm", "/dev/watchdog")):
        continue
    try:
        os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        pass
# Standard input is a pipe, and so are the others.
print("ready", flush=True)
sys.stdin.read()

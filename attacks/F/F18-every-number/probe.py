import ctypes, mmap, os, select, signal, sys, time

call = ctypes.CDLL(None).syscall
memory = mmap.mmap(-1, 4096)
POINTER = ctypes.addressof(ctypes.c_char.from_buffer(memory))
ADDR_NO_RANDOMIZE, PERSONALITY = 0x40000, 135
VALUES = (0, -1, POINTER, ADDR_NO_RANDOMIZE)
# What makes processes, ends them, or waits for ever with these arguments.
WITHOUT = {15, 23, 34, 56, 57, 58, 60, 231, 270, 271, 435}


def make(number):
    for value in VALUES:
        ctypes.memset(POINTER, 0, 4096)
        call(number, *(ctypes.c_long(value) for _ in range(6)))


def in_a_child(first):
    """Makes calls from this number on, until one ends the child or takes too long; gives the next number."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        for number in range(first, 1025):
            os.write(write, number.to_bytes(2, "big"))
            if number not in WITHOUT:
                make(number)
        os._exit(0)
    os.close(write)
    seen, end = b"", time.monotonic() + 0.5
    while select.select([read], [], [], max(0, end - time.monotonic()))[0]:
        chunk = os.read(read, 4096)
        if not chunk:
            break
        seen = chunk
    os.close(read)
    # It may be stopped.
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return int.from_bytes(seen[-2:], "big") + 1


def is_held():
    with open("/proc/self/status") as status:
        return os.geteuid() != 0 and "Seccomp:\t2\n" in status.read()


# Not where it could do harm.
number = 0 if is_held() else 1025
while number < 1025:
    number = in_a_child(number)
make(PERSONALITY)

print("ready", flush=True)
sys.stdin.read()

import mmap, os, time

shared = f"/dev/shm/waxcell-attack-{os.getpid()}"
files = [
    os.open(os.environ["HOME"] + "/fill", os.O_RDWR | os.O_CREAT),
    os.open(shared, os.O_RDWR | os.O_CREAT | os.O_EXCL),
    os.memfd_create("fill"),
]
os.unlink(shared)
held = []
for file in files:
    try:
        for _ in range(40):
            os.write(file, b"x" * (1 << 20))
    except OSError:
        time.sleep(0.3)
        continue
    # What was written is seen when it is mapped.
    held.append(mmap.mmap(file, 40 << 20))
    sum(held[-1][::4096])
time.sleep(0.2)

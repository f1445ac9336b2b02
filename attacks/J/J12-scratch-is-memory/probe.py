import mmap, os, time

file = os.open(os.environ["HOME"] + "/fill", os.O_RDWR | os.O_CREAT)
for _ in range(250):
    os.write(file, b"x" * (1 << 20))
    time.sleep(0.001)
time.sleep(0.2)
# What was written is seen when it is mapped.
sum(mmap.mmap(file, 250 << 20)[::4096])
time.sleep(0.2)

import os

fd = os.open("out/raw.bin", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
os.write(fd, bytes(range(16)))
os.close(fd)
print(os.stat("out/raw.bin").st_size)

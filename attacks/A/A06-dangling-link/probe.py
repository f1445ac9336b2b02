import os, sys

data, outside = sys.argv[1:]
os.symlink(f"{outside}/made", f"{data}/0")
for number in range(1, 38):
    os.symlink(str(number - 1), f"{data}/{number}")
os.symlink("loop", f"{data}/loop")
os.symlink("loop/made", f"{data}/through")
for name in ("0", "1", "37", "loop", "through"):
    try:
        os.close(os.open(f"{data}/{name}", os.O_WRONLY | os.O_CREAT, 0o644))
    except OSError:
        pass

import errno, os, time

os.chdir(os.environ["HOME"])
held = []
try:
    for _ in range(60):
        held.append(open("file", "wb", buffering=0))
        os.unlink("file")
        if held[-1].write(b"x" * (1 << 20)) < 1 << 20:
            break
        # So much for each megabyte.
        os.write(1, b"x" * 1000)
except OSError as error:
    if error.errno != errno.ENOSPC:
        raise
time.sleep(0.3)

import errno, os, time

os.chdir(os.environ["HOME"])
try:
    for number in range(600):
        with open(f"file-{number}", "wb", buffering=0) as file:
            if file.write(b"x" * 100_000) < 100_000:
                break
        # So much for each of them.
        os.write(1, b"x" * 100)
except OSError as error:
    if error.errno != errno.ENOSPC:
        raise
time.sleep(0.3)

import errno, os, time

os.chdir(os.environ["HOME"])
try:
    for _ in range(600):
        os.mkdir("folder")
        os.chdir("folder")
        # So much for each of them.
        os.write(1, b"x" * 100)
except OSError as error:
    if error.errno != errno.ENOSPC:
        raise
time.sleep(0.3)

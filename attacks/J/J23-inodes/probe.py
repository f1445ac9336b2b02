import errno, os, time

os.chdir(os.environ["HOME"])
try:
    for number in range(300):
        open(f"file-{number}", "w").close()
        # So much for each of them.
        os.write(1, b"x" * 100)
except OSError as error:
    if error.errno != errno.ENOSPC:
        raise
time.sleep(0.3)

import errno, os, time

os.chdir(os.environ["HOME"])
open("file", "w").close()
try:
    for number in range(300):
        os.link("file", f"name-{number}")
        # So much for each of them.
        os.write(1, b"x" * 100)
except OSError as error:
    if error.errno != errno.ENOSPC:
        raise
time.sleep(0.3)

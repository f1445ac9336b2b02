import errno, fcntl, os, time

F_SETPIPE_SZ = 1031
MEGABYTE = b"x" * (1 << 20)
held = 0
while held < 60:
    try:
        end, other = os.pipe2(os.O_NONBLOCK)
        fcntl.fcntl(other, F_SETPIPE_SZ, len(MEGABYTE))
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.EPERM):
            raise
        break
    # So much for each megabyte that the kernel holds.
    os.write(1, b"x" * 1000 * (os.write(other, MEGABYTE) >> 20))
    held += 1
time.sleep(0.2)

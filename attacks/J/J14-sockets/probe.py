import errno, os, socket, time

held = []
for _ in range(400):
    try:
        pair = socket.socketpair()
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        break
    full = 0
    for end in pair:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        try:
            while True:
                full += end.send(b"x" * 4096)
        except BlockingIOError:
            pass
    held.append(pair)
    # So much for each megabyte that the kernel holds.
    os.write(1, b"x" * (full * 1000 >> 20))
time.sleep(0.2)

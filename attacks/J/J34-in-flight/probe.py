import array, errno, os, socket, time

pairs = []
try:
    for _ in range(6):
        pairs.append(socket.socketpair())
        for _ in range(50):
            file = os.open("/dev/null", os.O_RDONLY)
            pairs[-1][0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file]))])
            # It stays open as long as nobody takes it.
            os.close(file)
            os.write(1, b"x" * 100)
except OSError as error:
    if error.errno != errno.ETOOMANYREFS:
        raise
time.sleep(0.3)

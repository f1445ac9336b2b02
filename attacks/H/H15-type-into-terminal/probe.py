import fcntl, os, struct, sys

TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD = 0x5412, 0x541C, 0x541D, 0x5423
N_NULL = 27
master, terminal = os.openpty()
if os.fork() == 0:
    os.setsid()
    # The first terminal that a session opens is its own.
    own = os.open(os.ttyname(terminal), os.O_RDWR)
    done = []
    for request, argument in (
        (TIOCSTI, b"x"),
        (TIOCSTI, b"\n"),
        (TIOCLINUX, b"\3"),
        (TIOCCONS, b""),
        (TIOCSETD, struct.pack("i", N_NULL)),
    ):
        try:
            fcntl.ioctl(own, request, argument)
            done.append(request)
        except OSError:
            pass
    if done:
        open(sys.argv[1], "w").close()
    os._exit(0)
os.wait()

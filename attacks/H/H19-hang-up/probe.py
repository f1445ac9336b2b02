import ctypes, fcntl, os, signal, sys, termios

master, terminal = os.openpty()
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # The first terminal that a session opens is its own: to be given up, and taken again.
    own = os.open(os.ttyname(terminal), os.O_RDWR)
    fcntl.ioctl(own, termios.TIOCNOTTY)
    own = os.open(os.ttyname(terminal), os.O_RDWR)
    ctypes.CDLL(None).vhangup()
    try:
        os.write(own, b"x")
    except OSError:
        open(sys.argv[1], "w").close()
    os._exit(0)
os.wait()

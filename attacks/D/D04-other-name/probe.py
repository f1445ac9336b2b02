import ctypes, os, sys, threading

keep = sys.argv[1]
libc = ctypes.CDLL(None)
NAME, MM, MM_ARG_START = 15, 35, 8


def attempt():
    try:
        os.unlink(keep)
    except OSError:
        pass


def named(name):
    libc.prctl(NAME, name, 0, 0, 0)
    try:
        open("/proc/thread-self/comm", "w").write(name.decode())
    except OSError:
        pass
    attempt()


libc.prctl(MM, MM_ARG_START, ctypes.create_string_buffer(b"waxcell\0run"), 0, 0)
named(b"waxcell")
thread = threading.Thread(target=named, args=(b"init\n",))
thread.start()
thread.join()
if os.fork() == 0:
    named(b"kworker/0:1")
    os._exit(0)
os.wait()

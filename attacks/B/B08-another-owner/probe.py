import ctypes, os, sys

data = sys.argv[1]
libc = ctypes.CDLL(None)
other = 4242
for number, become in enumerate((
    lambda: libc.setfsuid(other),
    lambda: libc.setfsgid(other),
    lambda: os.setresgid(other, other, 0),
    lambda: os.setresuid(other, other, 0),
    lambda: os.setgroups([other]),
)):
    child = os.fork()
    if child == 0:
        os.umask(0)
        try:
            os.chmod(data, 0o777)
        except OSError:
            pass
        try:
            become()
        except OSError:
            pass
        open(f"{data}/{number}", "w").close()
        os._exit(0)
    os.waitpid(child, 0)

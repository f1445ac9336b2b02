import ctypes, mmap, os, shutil, sys, threading

program, made = sys.argv[1:]
with open(shutil.which("touch"), "rb") as touch, open(os.open(program, os.O_CREAT | os.O_WRONLY, 0o755), "wb") as copy:
    copy.write(touch.read())
paths = [path.encode() + b"\0" for path in (shutil.which("true"), program)]
# Shared with the children, which have no second thread.
path = (ctypes.c_char * 4096).from_buffer(mmap.mmap(-1, 4096))
argv = (ctypes.c_char_p * 3)(b"touch", made.encode(), None)
libc = ctypes.CDLL(None)
over = False


def exchange():
    while not over:
        for other in paths:
            ctypes.memmove(path, other, len(other))


threading.Thread(target=exchange, daemon=True).start()
for _ in range(40):
    child = os.fork()
    if child == 0:
        for _ in range(5):
            libc.execve(path, argv, None)
        os._exit(0)
    os.waitpid(child, 0)
over = True

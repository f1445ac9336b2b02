import ctypes, os, shutil, sys

program, made = sys.argv[1:]
libc = ctypes.CDLL(None)
EXECVEAT = 322 if os.uname().machine == "x86_64" else 281
AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
argv = (ctypes.c_char_p * 3)(b"touch", made.encode(), None)
with open(shutil.which("touch"), "rb") as touch, open(os.open(program, os.O_CREAT | os.O_WRONLY, 0o755), "wb") as copy:
    copy.write(touch.read())
file = os.open(program, os.O_RDONLY)
for execute in (
    lambda: os.execve(program, ["touch", made], {}),
    lambda: os.execve(file, ["touch", made], {}),
    lambda: os.execve(f"/proc/self/fd/{file}", ["touch", made], {}),
    lambda: libc.syscall(EXECVEAT, AT_FDCWD, program.encode(), argv, None, 0),
    lambda: libc.syscall(EXECVEAT, file, b"", argv, None, AT_EMPTY_PATH),
):
    child = os.fork()
    if child == 0:
        try:
            execute()
        except OSError:
            pass
        os._exit(0)
    os.waitpid(child, 0)

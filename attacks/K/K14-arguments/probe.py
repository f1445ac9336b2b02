import ctypes, os, shutil, sys

libc = ctypes.CDLL(None)
os.chdir(sys.argv[1])
with open(shutil.which("touch"), "rb") as touch, open(os.open("program", os.O_CREAT | os.O_WRONLY, 0o755), "wb") as copy:
    copy.write(touch.read())
for execute in (
    lambda: libc.execve(b"program", None, None),
    lambda: libc.execve(b"program", (ctypes.c_char_p * 1)(None), (ctypes.c_char_p * 1)(None)),
    lambda: os.execve("./program", ["touch"] + ["x" * 100_000] * 100, {}),
    lambda: os.execvpe("program", ["touch", "made"], {"PATH": ""}),
    lambda: os.execvpe("program", ["touch", "made"], {"PATH": ":."}),
):
    child = os.fork()
    if child == 0:
        try:
            execute()
        except OSError:
            pass
        os._exit(0)
    os.waitpid(child, 0)

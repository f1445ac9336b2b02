import ctypes, os, shutil, sys

libc = ctypes.CDLL(None)
EXECVEAT, AT_EMPTY_PATH = (322 if os.uname().machine == "x86_64" else 281), 0x1000
MFD_EXEC = 0x10
argv = (ctypes.c_char_p * 3)(b"touch", sys.argv[1].encode(), None)


def made(flags):
    file = os.memfd_create("program", flags)
    with open(shutil.which("touch"), "rb") as program:
        os.write(file, program.read())
    return file


for flags in (0, MFD_EXEC):
    for execute in (
        lambda file: os.execve(file, ["touch", sys.argv[1]], {}),
        lambda file: os.execve(f"/proc/self/fd/{file}", ["touch", sys.argv[1]], {}),
        lambda file: libc.syscall(EXECVEAT, file, b"", argv, None, AT_EMPTY_PATH),
    ):
        child = os.fork()
        if child == 0:
            try:
                file = made(flags)
                os.chmod(file, 0o755)
                execute(file)
            except OSError:
                pass
            os._exit(0)
        os.waitpid(child, 0)

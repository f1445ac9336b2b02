import os, signal, socket, sys

path = sys.argv[1]
NOW = os.O_NONBLOCK


def connect():
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)


def hang():
    # The script itself may wait as long as it likes.
    if (child := os.fork()) == 0:
        signal.alarm(5)
        os.open(path, os.O_RDONLY)
        os._exit(0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


for call in (
    lambda: os.close(os.open(path, os.O_RDONLY | NOW)),
    lambda: os.close(os.open(path, os.O_WRONLY | NOW)),
    lambda: os.truncate(path, 0),
    lambda: os.chdir(path),
    lambda: os.setxattr(path, "user.x", b"1"),
    lambda: os.execve(path, [path], {}),
    lambda: os.listdir(path),
    lambda: os.mkdir(path),
    connect,
    hang,
    lambda: os.chmod(path, 0o600),
    lambda: os.chown(path, os.getuid(), os.getgid()),
    lambda: os.unlink(path),
):
    try:
        call()
    except OSError:
        pass

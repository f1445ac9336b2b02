import os, socket, stat, sys

data = sys.argv[1]
for attempt in (
    lambda: os.mkfifo(f"{data}/result"),
    lambda: os.mknod(f"{data}/other", stat.S_IFIFO | 0o644),
    lambda: os.mknod(f"{data}/another", stat.S_IFSOCK | 0o644),
    lambda: socket.socket(socket.AF_UNIX).bind(f"{data}/socket"),
):
    try:
        attempt()
    except OSError:
        pass

import mmap, os, sys

data = sys.argv[1]


def mapped():
    with mmap.mmap(os.open(f"{data}/lent", os.O_RDWR), 0) as there:
        there[:2] = b"??"


for attempt in (
    lambda: os.chmod(f"{data}/tool", 0o4755),
    lambda: os.chmod(os.open(f"{data}/tool", os.O_RDWR), 0o6755),
    lambda: os.close(os.open(f"{data}/made", os.O_CREAT | os.O_WRONLY, 0o4755)),
    # One that has it, copied up and then written to.
    lambda: open(f"{data}/lent", "r+").write("mine"),
    mapped,
):
    try:
        attempt()
    except OSError:
        pass

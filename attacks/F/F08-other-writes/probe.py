import mmap, os


def opened(how):
    file = os.open("file", os.O_RDWR)
    other = os.open("other", os.O_RDONLY)
    how(file, other)


def splice(file, other):
    read, write = os.pipe()
    os.write(write, b"no longer")
    os.splice(read, file, 9)


def by_mapping(file, other):
    with mmap.mmap(file, 0) as mapped:
        mapped[0:9] = b"no longer"


for attempt in (
    lambda: opened(lambda file, other: os.sendfile(file, other, 0, 9)),
    lambda: opened(lambda file, other: os.copy_file_range(other, file, 9)),
    lambda: opened(splice),
    lambda: opened(by_mapping),
    lambda: opened(lambda file, other: os.pwritev(file, [b"no longer"], 0)),
    lambda: opened(lambda file, other: os.posix_fallocate(file, 0, 4096)),
    lambda: os.truncate("file", 3),
    lambda: os.open("file", os.O_RDONLY | os.O_TRUNC),
    lambda: os.link("other", "third"),
    lambda: os.rename("other", "file"),
):
    try:
        attempt()
    except (OSError, AttributeError):
        # Older interpreters have not all of them.
        pass

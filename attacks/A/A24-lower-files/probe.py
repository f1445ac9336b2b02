import ctypes, mmap, os, sys

data = sys.argv[1]
libc = ctypes.CDLL(None)
HERE, WHITEOUT, EXCHANGE = -100, 4, 2


def mapped():
    opened = os.open(f"{data}/file", os.O_RDWR)
    with mmap.mmap(opened, 0) as there:
        there[:2] = b"no"


below = os.open(f"{data}/file", os.O_RDONLY)
for attempt in (
    # It stays the file below, whose copy is above from now on.
    lambda: os.fchmod(below, 0o600),
    lambda: open(f"/proc/self/fd/{below}", "r+").write("changed"),
    mapped,
    lambda: os.truncate(f"{data}/folder/file", 0),
    lambda: os.link(f"{data}/file", f"{data}/other"),
    lambda: open(f"{data}/other", "w").write("changed"),
    # Whiteouts, by the names of what they are.
    lambda: os.mknod(f"{data}/folder/file.new", 0o20000, 0),
    lambda: libc.renameat2(HERE, f"{data}/other".encode(), HERE, f"{data}/white".encode(), WHITEOUT),
    lambda: libc.renameat2(HERE, f"{data}/file".encode(), HERE, f"{data}/folder".encode(), EXCHANGE),
    lambda: os.setxattr(f"{data}/folder", "user.overlay.opaque", b"y"),
    # A folder that is another one below, and a file whose content is another's.
    lambda: os.mkdir(f"{data}/new"),
    lambda: os.setxattr(f"{data}/new", "user.overlay.redirect", b"/hidden"),
    lambda: open(f"{data}/copy", "w").close(),
    lambda: os.setxattr(f"{data}/copy", "user.overlay.metacopy", b""),
    lambda: os.setxattr(f"{data}/copy", "user.overlay.redirect", b"/hidden/secret"),
    lambda: os.setxattr(f"{data}/copy", "trusted.overlay.redirect", b"/hidden/secret"),
    lambda: print(open(f"{data}/new/secret").read(), open(f"{data}/copy").read()),
    lambda: print(open(f"{data}/hidden/secret").read()),
):
    try:
        attempt()
    except OSError:
        pass

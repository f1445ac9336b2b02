import ctypes, glob, os, sys

libc = ctypes.CDLL(None)
for folder in sys.argv[1:]:
    print(glob.glob(f"{folder}/**", recursive=True))
    try:
        print(os.listdir(os.open(folder, os.O_RDONLY | os.O_DIRECTORY)))
    except OSError:
        pass
    # Whoever may watch a folder learns its names as they come and go.
    watch = libc.inotify_init1(os.O_NONBLOCK)
    libc.inotify_add_watch(watch, folder.encode(), 0xFFF)

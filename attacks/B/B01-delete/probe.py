import ctypes, os, pathlib, shutil, sys

data = sys.argv[1]
keep, folder = f"{data}/keep", f"{data}/folder"
libc = ctypes.CDLL(None)
x86 = os.uname().machine == "x86_64"
UNLINK, RMDIR, UNLINKAT = 87, 84, 263 if x86 else 35
AT_FDCWD, AT_REMOVEDIR = -100, 0x200
for attempt in (
    lambda: os.unlink(keep),
    lambda: os.remove("keep", dir_fd=os.open(data, os.O_RDONLY)),
    lambda: pathlib.Path(keep).unlink(),
    lambda: os.rmdir(folder),
    lambda: os.removedirs(folder),
    lambda: shutil.rmtree(folder),
    lambda: libc.syscall(UNLINKAT, AT_FDCWD, keep.encode(), 0),
    lambda: libc.syscall(UNLINKAT, AT_FDCWD, folder.encode(), AT_REMOVEDIR),
    lambda: libc.syscall(UNLINKAT, AT_FDCWD, f"./{data}//./folder".encode(), AT_REMOVEDIR),
    lambda: libc.syscall(UNLINK, keep.encode()) if x86 else None,
    lambda: libc.syscall(RMDIR, folder.encode()) if x86 else None,
    lambda: libc.remove(keep.encode()),
):
    try:
        attempt()
    except OSError:
        pass

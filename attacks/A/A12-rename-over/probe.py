import ctypes, os, sys

data = sys.argv[1]
libc = ctypes.CDLL(None)
AT_FDCWD, EXCHANGE, WHITEOUT = -100, 2, 4


def rename(old, new, flags=0):
    libc.renameat2(AT_FDCWD, old.encode(), AT_FDCWD, new.encode(), flags)


for keep in (f"{data}/keep", f"{data}/inner/keep"):
    for flags in (0, EXCHANGE, WHITEOUT):
        open(f"{data}/new", "w").write("changed")
        rename(f"{data}/new", keep, flags)
        rename(keep, f"{data}/old", flags)
# With the folder around it.
os.makedirs(f"{data}/other", exist_ok=True)
open(f"{data}/other/keep", "w").write("changed")
rename(f"{data}/inner", f"{data}/aside")
rename(f"{data}/other", f"{data}/inner", EXCHANGE)
rename(f"{data}/other", f"{data}/inner")

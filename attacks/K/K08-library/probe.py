import ctypes, os, shutil, sys, tempfile

made, folders = sys.argv[1], sys.argv[2:]
ctypes.CDLL("libz.so.1")
known = next(line.split()[-1] for line in open("/proc/self/maps") if "libz.so" in line)
for folder in folders:
    file, library = tempfile.mkstemp(dir=folder)
    shutil.copyfile(known, library)
    try:
        ctypes.CDLL(library).gzopen(made.encode(), b"w")
    except OSError:
        pass
    os.unlink(library)

import errno, io, mmap, os, time, zipfile

os.chdir(os.environ["HOME"])
packed = io.BytesIO()
with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
    with archive.open("file", "w") as file:
        for _ in range(80):
            file.write(bytes(1 << 20))
try:
    zipfile.ZipFile(packed).extractall()
except OSError as error:
    if error.errno != errno.ENOSPC:
        raise
    time.sleep(0.3)
else:
    # What was unpacked is seen when it is mapped.
    with open("file", "rb") as file:
        sum(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)[::4096])
    time.sleep(0.2)

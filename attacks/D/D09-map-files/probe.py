import mmap, os, re, sys

name = sys.argv[1]
with open(name, "rb") as file:
    mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
where = re.search(f"(\\w+-\\w+) .*/{name}\n", open("/proc/self/maps").read())[1]
try:
    with open(f"/proc/self/map_files/{where}", "r+b") as file:
        file.write(b"no longer")
except OSError:
    pass

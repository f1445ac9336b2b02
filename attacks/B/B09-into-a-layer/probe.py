import os, shutil, sys

data = sys.argv[1]
shutil.rmtree(data, ignore_errors=True)

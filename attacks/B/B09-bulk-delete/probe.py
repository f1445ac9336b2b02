import os, shutil, sys

data = sys.argv[1]
try:
    os.unlink(f"{data}/keep")
except OSError:
    pass
for number in range(400):
    open(f"{data}/{number}", "w").close()
shutil.rmtree(data, ignore_errors=True)

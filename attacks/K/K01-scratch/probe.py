import os, shutil, subprocess, sys, tempfile

for folder in ("/tmp", "/var/tmp", "/dev/shm", os.environ["HOME"]):
    try:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            program = shutil.copy(shutil.which("touch"), own + "/program")
            subprocess.run([program, sys.argv[1]])
    except OSError:
        pass

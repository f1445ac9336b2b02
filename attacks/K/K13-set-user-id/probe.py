import os, shutil, subprocess, sys

file = os.open(shutil.which("su"), os.O_RDONLY)
arguments = ["root", "-c", f"touch {sys.argv[1]}"]
paths = [f"/proc/self/fd/{file}", f"/dev/fd/{file}"]
for program in [subprocess.Popen([path, *arguments], stdin=subprocess.DEVNULL, pass_fds=[file]) for path in paths]:
    program.wait()

import shutil, subprocess, sys

program, made = sys.argv[1:]
loader = "/lib64/ld-linux-x86-64.so.2"
touch = shutil.which("touch")
shutil.copyfile(touch, program)
for command in ([loader, program, made], [loader, "--preload", program, touch], [loader, "--inhibit-cache", "./" + program, made]):
    subprocess.run(command, stderr=subprocess.DEVNULL)

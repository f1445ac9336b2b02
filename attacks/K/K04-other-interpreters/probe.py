import shutil, subprocess, sys

secret = sys.argv[1]
for command in (
    [sys.executable, "-c", f"print(open('{secret}').read())"],
    ["sh", "-c", f"read line < {secret}; echo $line"],
    ["sh", "-c", f"cat {secret}"],
    ["awk", "{ print }", secret],
    ["awk", f"BEGIN {{ system(\"cat {secret}\") }}"],
    ["perl", "-pe", "", secret],
):
    if shutil.which(command[0]):
        subprocess.run(command, stdin=subprocess.DEVNULL)

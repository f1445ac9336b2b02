import subprocess, sys

secret = sys.argv[1]
for command in (
    ["find", ".", "-maxdepth", "0", "-exec", "cat", secret, ";"],
    ["tar", "-cf", "/dev/null", "--checkpoint=1", f"--checkpoint-action=exec=cat {secret}", "/etc/passwd"],
    ["git", "-c", f"alias.x=!cat {secret}", "x"],
    ["awk", f"BEGIN {{ system(\"cat {secret}\") }}"],
    ["env", "--", "cat", secret],
):
    subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

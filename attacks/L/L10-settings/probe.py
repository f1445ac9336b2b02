import os, subprocess

subprocess.run(["git", "config", "--list"], stdin=subprocess.DEVNULL)
home = os.path.expanduser("~")
for file in (f"{home}/.gitconfig", os.environ.get("PIP_CONFIG_FILE", f"{home}/.config/pip/pip.conf"), f"{home}/.ssh/config"):
    try:
        print(open(file).read())
    except OSError:
        pass

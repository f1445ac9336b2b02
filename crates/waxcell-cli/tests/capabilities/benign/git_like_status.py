import shutil
import subprocess
import sys

if shutil.which("git") is None:
    print("no git")
    sys.exit(0)
done = subprocess.run(["git", "--version"], stdout=subprocess.PIPE, text=True)
print(done.returncode, done.stdout.startswith("git version"))

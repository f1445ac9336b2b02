import subprocess

subprocess.run(["sleep", "1"])

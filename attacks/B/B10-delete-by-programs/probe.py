import subprocess, sys

data = sys.argv[1]
for command in (
    ["rm", "-f", f"{data}/one"],
    ["find", data, "-name", "two", "-delete"],
    ["sh", "-c", f"exec unlink {data}/three"],
    [sys.executable, "-c", f"import os; os.unlink('{data}/three')"],
):
    subprocess.run(command, stderr=subprocess.DEVNULL)

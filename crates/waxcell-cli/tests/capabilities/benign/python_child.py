import subprocess
import sys

code = "print(6 * 7)"
print(subprocess.check_output([sys.executable, "-c", code], text=True).strip())

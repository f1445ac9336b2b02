import subprocess

out = subprocess.check_output("cat data/sales.csv | sort | head -n 1", shell=True, text=True)
print(out.strip())

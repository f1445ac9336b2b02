import subprocess

result = subprocess.run(["wc", "-l", "data/sales.csv"], capture_output=True, text=True, check=True)
print(result.stdout.split()[0])

import sys

try:
    with open("/sys/fs/cgroup/cgroup.procs", "w") as file:
        file.write("0")
except OSError:
    pass
print("ready", flush=True)
sys.stdin.read()

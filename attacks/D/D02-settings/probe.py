import sys

# Such as harm nobody in the moment until the judge puts them back.
for name, value in (
    ("kernel/core_pattern", "core.attack"),
    ("kernel/modprobe", "/bin/false"),
    ("fs/lease-break-time", "46"),
):
    try:
        with open(f"/proc/sys/{name}", "w") as file:
            file.write(value)
    except OSError:
        pass
print("ready", flush=True)
sys.stdin.read()

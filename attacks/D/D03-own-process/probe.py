import sys

for name, value in (
    ("oom_score_adj", "777"),
    ("coredump_filter", "0x77"),
    ("clear_refs", "1"),
    ("timens_offsets", "monotonic 1 0"),
    ("setgroups", "deny"),
    ("attr/current", "attack"),
    ("loginuid", "4242"),
):
    try:
        with open(f"/proc/self/{name}", "w") as file:
            file.write(value)
    except OSError:
        pass
print("ready", flush=True)
sys.stdin.read()

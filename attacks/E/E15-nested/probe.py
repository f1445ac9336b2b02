import os, subprocess, sys, time

nested = subprocess.Popen(["unshare", "--user", "cat"], stderr=subprocess.DEVNULL)


def is_outside():
    try:
        return os.readlink(f"/proc/{nested.pid}/ns/user") == os.readlink("/proc/self/ns/user")
    except OSError:
        return False


# It either fails or stays.
end = time.monotonic() + 2
while nested.poll() is None and is_outside() and time.monotonic() < end:
    time.sleep(0.005)

print("ready", flush=True)
sys.stdin.read()

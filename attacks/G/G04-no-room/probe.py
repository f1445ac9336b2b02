import os, resource, sys, threading, time

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
made, held = [], []
over = False


def memory():
    try:
        made.append(os.memfd_create("mine"))
    except OSError:
        pass


def come_and_go():
    while not over:
        try:
            os.close(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass


memory()
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
memory()
os.close(held.pop())
threading.Thread(target=come_and_go, daemon=True).start()
end = time.monotonic() + 0.3
while time.monotonic() < end:
    memory()
    while len(made) > 1:
        if "/memfd:" in os.readlink(f"/proc/self/fd/{made[-1]}"):
            break
        os.close(made.pop())
over = True
print("ready", flush=True)
sys.stdin.read()

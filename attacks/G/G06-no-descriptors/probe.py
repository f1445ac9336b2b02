import os, signal, sys

kept = sys.argv[1]
held, children = [], []
for _ in range(5):
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        signal.pause()
    children.append(child)
try:
    while True:
        held += os.pipe()
except OSError:
    pass
for call in (lambda: os.chmod(kept, 0o600), lambda: os.unlink(kept)):
    try:
        call()
    except PermissionError:
        pass
for child in children:
    os.kill(child, signal.SIGKILL)

import fcntl, os, sys

held = []
for flags in (os.O_RDWR, os.O_WRONLY, os.O_RDONLY):
    try:
        held.append(os.open(sys.argv[1], flags))
        fcntl.lockf(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pass
print("ready", flush=True)
sys.stdin.read()

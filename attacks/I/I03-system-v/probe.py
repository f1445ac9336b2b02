import ctypes, sys

libc = ctypes.CDLL(None)
PRIVATE, MODE, REMOVE = 0, 0o600, 0
made = [
    (libc.shmget(PRIVATE, 4096, MODE), lambda id: libc.shmctl(id, REMOVE, None)),
    (libc.semget(PRIVATE, 1, MODE), lambda id: libc.semctl(id, 0, REMOVE)),
    (libc.msgget(PRIVATE, MODE), lambda id: libc.msgctl(id, REMOVE, None)),
]
print("ready", flush=True)
sys.stdin.read()
for id, remove in made:
    if id >= 0:
        remove(id)

import ctypes, sys

libc = ctypes.CDLL(None)
IPC_PRIVATE, IPC_CREAT, IPC_RMID = 0, 0o1000, 0
made = (
    (libc.shmctl, (libc.shmget(IPC_PRIVATE, 1 << 24, IPC_CREAT | 0o600), IPC_RMID, None)),
    (libc.semctl, (libc.semget(IPC_PRIVATE, 1000, IPC_CREAT | 0o600), 0, IPC_RMID)),
    (libc.msgctl, (libc.msgget(IPC_PRIVATE, IPC_CREAT | 0o600), IPC_RMID, None)),
)
print("ready", flush=True)
sys.stdin.read()
for remove, arguments in made:
    if arguments[0] >= 0:
        remove(*arguments)

import ctypes, sys

libc = ctypes.CDLL(None)
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206
for request in (PTRACE_SEIZE, PTRACE_ATTACH):
    libc.ptrace(request, int(sys.argv[1]), None, None)
print("ready", flush=True)
sys.stdin.read()

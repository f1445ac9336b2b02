import ctypes, os, sys

libc = ctypes.CDLL(None)
libc.setdomainname(b"attack", 6)
name = os.uname().nodename.encode()
libc.sethostname(name, len(name))
print("ready", flush=True)
sys.stdin.read()

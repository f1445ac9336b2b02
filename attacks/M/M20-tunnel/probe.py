import fcntl, os, struct, sys

TUNSETIFF, TUN = 0x400454CA, 1
try:
    file = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", b"waxattack0", TUN))
except OSError:
    pass
print("ready", flush=True)
# It is gone with us.
sys.stdin.read()

import socket, sys

RAW, STREAM, DGRAM, SEQPACKET = socket.SOCK_RAW, socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET
# Netlink, packet, RDS, CAN, TIPC, Bluetooth, ALG, VSOCK, KCM, QIPCRTR, SMC, XDP, MCTP.
families = [(16, RAW), (17, DGRAM), (21, SEQPACKET), (29, RAW), (30, STREAM), (31, RAW), (38, SEQPACKET)]
families += [(40, STREAM), (41, DGRAM), (42, DGRAM), (43, STREAM), (44, RAW), (45, DGRAM)]
held = []
for family, kind in families:
    try:
        held.append(socket.socket(family, kind))
    except OSError:
        pass
print("ready", flush=True)
sys.stdin.read()

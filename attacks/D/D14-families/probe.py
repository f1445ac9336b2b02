import socket, sys

RDS, CAN, TIPC, ALG, VSOCK, KCM, QIPCRTR, SMC, XDP, MCTP = 21, 29, 30, 38, 40, 41, 42, 43, 44, 45
kept = []
for family in (RDS, CAN, TIPC, ALG, VSOCK, KCM, QIPCRTR, SMC, XDP, MCTP):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            kept.append(socket.socket(family, kind))
        except OSError:
            pass
print("ready", flush=True)
sys.stdin.read()

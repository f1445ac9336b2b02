import socket, sys

MSG_FASTOPEN = 0x20000000
with socket.socket() as s:
    s.settimeout(1)
    s.sendmsg([b"anybody there?"], [], MSG_FASTOPEN, (sys.argv[1], int(sys.argv[2])))

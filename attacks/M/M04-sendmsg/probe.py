import socket, sys

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.sendmsg([b"anybody there?"], [], 0, (sys.argv[1], int(sys.argv[2])))

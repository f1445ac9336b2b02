import socket, sys, threading, time

name, connections, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
end = time.monotonic() + float(sys.argv[4]) * int(sys.argv[5])
done = []


def ask(head, body=b""):
    with socket.create_connection((name, 80), timeout=max(0.1, end - time.monotonic())) as s:
        s.sendall(f"{head} HTTP/1.1\r\nHost: {name}\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        for at in range(0, len(body), 4096):
            s.settimeout(max(0.01, end - time.monotonic()))
            s.sendall(body[at:at + 4096])
        got = s.recv(1000)
        return got.startswith(b"HTTP/1.1 200")


def post():
    try:
        done.append(ask("POST /part", bytes(size)))
    except OSError:
        pass


threads = [threading.Thread(target=post) for _ in range(connections)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
try:
    if len(done) == connections and time.monotonic() < end:
        ask("GET /whole")
except OSError:
    pass

import os, socket, sys, time

shared = sys.argv[1]
end = time.monotonic() + 15
while not os.path.exists(f"{shared}/port"):
    if time.monotonic() > end:
        sys.exit("there is no sibling")
    time.sleep(0.02)
port = int(open(f"{shared}/port").read())
for family, address in (
    (socket.AF_INET, ("127.0.0.1", port)),
    (socket.AF_UNIX, b"\0" + os.path.dirname(shared).encode()),
):
    with socket.socket(family) as s:
        s.settimeout(1)
        try:
            s.connect(address)
            print(s.recv(100).decode())
        except OSError:
            pass

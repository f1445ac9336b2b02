import os, socket, sys, time

here, project = sys.argv[1:]
end = time.monotonic() + 15
while not os.path.exists(f"{project}/done") and time.monotonic() < end:
    time.sleep(0.01)

with socket.socket(socket.AF_UNIX) as s:
    try:
        s.connect(b"\0" + here.encode())
        print(s.recv(100).decode())
    except OSError:
        pass

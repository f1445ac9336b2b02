import os, subprocess, sys, tempfile

with tempfile.NamedTemporaryFile("w") as file:
    file.write("printer evil.example.com\n")
    file.flush()
    program = "import socket; socket.getaddrinfo('printer', 80)"
    subprocess.run([sys.executable, "-c", program], env=dict(os.environ, HOSTALIASES=file.name), stderr=subprocess.DEVNULL)

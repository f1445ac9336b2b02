import os, sys, time

terminals = ["/dev/tty", "/dev/console", *(f"/dev/pts/{number}" for number in range(16))]
while os.path.isdir(os.path.dirname(sys.argv[1])):
    try:
        # Where it can be known which terminal was planted, that and no other.
        with open(sys.argv[1]) as file:
            terminals = [file.read()]
        break
    except OSError:
        time.sleep(0.01)
for terminal in terminals:
    try:
        os.write(os.open(terminal, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK), b"x\n")
    except OSError:
        pass
time.sleep(0.1)

import os, subprocess, sys, threading

path = sys.argv[1]


def write():
    try:
        with open(path, "w") as file:
            file.write("no longer")
    except OSError:
        pass


def execute():
    subprocess.run(["/bin/sh", "-c", "echo no longer > $1", "sh", path], stderr=subprocess.DEVNULL)


for attempt in (write, execute):
    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()

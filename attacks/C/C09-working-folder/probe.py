import os

for path in ("../outside/secret", "/proc/self/cwd/../outside/secret", "/proc/thread-self/cwd/../outside/secret"):
    try:
        print(open(path).read())
    except OSError:
        pass
for _ in range(2):
    try:
        above = os.open("..", os.O_RDONLY | os.O_DIRECTORY)
        print(open(os.open("outside/secret", os.O_RDONLY, dir_fd=above)).read())
        os.fchdir(above)
    except OSError:
        pass

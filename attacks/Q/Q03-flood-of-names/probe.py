import os, sys

data = sys.argv[1]


def attempt(name):
    try:
        os.unlink(f"{data}/{name}")
    except OSError:
        pass


# The first is told by name, and so are those of the next 255; each later one is counted.
attempt("keep")
for number in range(3000):
    file = f"{data}/{number % 300}"
    if number < 300:
        open(file, "w").close()
    attempt(number % 300)
    if number % 300 == 0:
        attempt("keep")

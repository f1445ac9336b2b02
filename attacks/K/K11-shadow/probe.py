import sys

for file in sys.argv[1:]:
    try:
        with open(file, "w") as module:
            module.write("print('not what you think')\n")
    except OSError:
        pass

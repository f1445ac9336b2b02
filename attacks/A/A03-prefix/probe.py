import sys

for end in ("base/secret", "-old", ".txt", "/../database/secret"):
    try:
        print(open(sys.argv[1] + end).read())
    except OSError:
        pass

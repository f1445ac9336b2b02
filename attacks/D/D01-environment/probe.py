import re, sys

pid = sys.argv[1]


def environment():
    return open(f"/proc/{pid}/environ").read()


def memory():
    stack = re.search(r"(\w+)-(\w+) .*\[stack\]", open(f"/proc/{pid}/maps").read())
    first, end = (int(number, 16) for number in stack.groups())
    with open(f"/proc/{pid}/mem", "rb", 0) as file:
        file.seek(first)
        return file.read(end - first).decode("latin-1")


for read in (environment, memory):
    try:
        print(re.findall("TOKEN=(\\w+)", read()))
    except OSError:
        pass

import ctypes, sys

secret = sys.argv[1]


def hook(event, arguments):
    if event == "open" and arguments[0] == secret:
        raise PermissionError(secret)


sys.addaudithook(hook)
libc = ctypes.CDLL(None)
text = ctypes.create_string_buffer(100)
libc.read(libc.open(secret.encode(), 0), text, 100)
print(text.value.decode())
# The answer of the comparison is another from now on.
try:
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(id(secret) + sys.getsizeof("") - 1)
        memory.write(b"\0")
except OSError:
    pass
hook.__code__ = (lambda event, arguments: None).__code__
try:
    print(open(sys.argv[1]).read())
except OSError:
    pass

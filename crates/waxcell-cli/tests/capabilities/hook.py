"""Runs a script as `python3 SCRIPT` would, and writes what it does, as CPython's audit events (PEP 578) tell it, to the file
that is named first: one JSON object a line."""
import sys

loaded = set(sys.modules)
import json
import os
import types

out, script = sys.argv[1], sys.argv[2]
sys.argv = sys.argv[2:]
path = os.path.abspath(script)
library = os.path.dirname(os.__file__)
log = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
busy = False


def line_of(frame):
    """The line of the script, if nothing but the standard library lies between it and the event."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name == path:
            return frame.f_lineno
        if "importlib" in name or not name.startswith(library):
            return None
        frame = frame.f_back
    return None


def hook(event, args):
    global busy
    if busy or not event.startswith(("open", "import", "os.", "subprocess.", "socket.", "shutil.", "sqlite3.", "ctypes.", "glob.")):
        return
    busy = True
    try:
        frame = sys._getframe(1)
        line = line_of(frame)
        if line is not None:
            direct = frame.f_code.co_filename == path
            args = [arg if isinstance(arg, (str, int, type(None))) else os.fsdecode(arg) if isinstance(arg, (bytes, os.PathLike)) else [str(part) for part in arg] if isinstance(arg, (tuple, list)) else str(arg) for arg in args]
            os.write(log, (dumps({"event": event, "line": line, "direct": direct, "args": args}) + "\n").encode())
    finally:
        busy = False


with open(script, "rb") as source:
    code = compile(source.read(), path, "exec")

main = types.ModuleType("__main__")
main.__file__ = path
main.__builtins__ = __builtins__
sys.modules["__main__"] = main
sys.path[0] = os.path.dirname(path)
# The script finds what it would find, and its imports are events.
dumps = json.dumps
for name in set(sys.modules) - loaded - {"__main__"}:
    del sys.modules[name]
sys.addaudithook(hook)
exec(code, main.__dict__)

import importlib.util, os, py_compile

kept = importlib.util.cache_from_source("helper.py")
for attempt in (
    lambda: py_compile.compile("helper.py", kept, doraise=True),
    lambda: os.replace("helper.py", kept),
    lambda: open("__pycache__/helper.cpython-30.pyc", "w"),
    lambda: __import__("helper"),
):
    try:
        attempt()
    except OSError:
        pass

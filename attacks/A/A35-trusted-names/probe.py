import os, sys

for name in (".git/hooks/pre-commit", ".git/config", "sitecustomize.py", "extra.pth"):
    for attempt in (
        lambda: open(name, "a").write("import os\n"),
        lambda: os.truncate(name, 0),
        lambda: os.rename("new", name),
    ):
        open("new", "w").write("import os\n")
        try:
            attempt()
        except OSError:
            pass

import os, sys

script, data = sys.argv[1:3]
other = 'import sys; open(sys.argv[2] + "/made", "w").close()'
if len(sys.argv) == 3:
    opened = os.open(script, os.O_RDONLY)
    for name in (script, os.path.basename(script), f"/proc/self/fd/{opened}", "/proc/self/cwd/" + os.path.basename(script), sys.argv[0]):
        try:
            open(name, "w").write(other)
        except OSError:
            pass
    open(f"{data}/other", "w").write(other)
    try:
        os.rename(f"{data}/other", script)
    except OSError:
        pass
    os.execv(sys.executable, [sys.executable, script, script, data, "again"])

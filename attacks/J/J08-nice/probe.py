import os, sys

for which in (os.PRIO_USER, os.PRIO_PGRP, os.PRIO_PROCESS):
    # All processes of root would be everybody on the host.
    if which == os.PRIO_USER and os.getuid() == 0:
        continue
    try:
        os.setpriority(which, 0, -10)
    except PermissionError:
        pass
print("ready", flush=True)
sys.stdin.read()

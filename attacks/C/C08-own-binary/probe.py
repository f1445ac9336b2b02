import os, sys, time

binary, namespace, outside = sys.argv[1:]
# Process 1 is none of the host's, unless somebody left us with those.
way = binary if os.readlink("/proc/self/ns/pid") == namespace else "/proc/1/exe"
try:
    was = os.stat(way)
    os.utime(way)
    time.sleep(0.3)
    os.utime(way, ns=(was.st_atime_ns, was.st_mtime_ns))
except OSError:
    pass

import ctypes, json, os, resource, sys

os.chdir(sys.argv[1])
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
sys.setrecursionlimit(10**9)
try:
    json.loads("[" * 1_000_000)
except RecursionError:
    # Newer interpreters count calls within C.
    ctypes.string_at(0)

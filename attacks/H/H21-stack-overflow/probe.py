import ctypes, os, resource, sys

os.chdir(sys.argv[1])
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
sys.setrecursionlimit(10**9)


class Endless:
    def __repr__(self):
        return repr(self)


try:
    repr(Endless())
except (RecursionError, MemoryError):
    # Newer interpreters count calls between Python and C.
    ctypes.string_at(0)

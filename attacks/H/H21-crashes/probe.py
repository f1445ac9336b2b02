import ctypes, os, resource, signal, sys

os.chdir(sys.argv[1])
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
for number in (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS, signal.SIGTRAP, signal.SIGQUIT):
    child = os.fork()
    if child == 0:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os.waitpid(child, 0)
ctypes.string_at(0)

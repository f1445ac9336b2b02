import os, resource, signal, sys, time

# Also where it was lowered, but not for good.
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
for _ in range(3):
    child = os.fork()
    if child == 0:
        os.chdir(sys.argv[1])
        os.execv("/bin/sleep", ["sleep", "1"])
    time.sleep(0.05)
    os.kill(child, signal.SIGQUIT)
    os.waitpid(child, 0)

import errno, os, resource, sys

soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
for target in (*range(200), hard - 1):
    try:
        os.dup2(0, target) if target > 2 else os.dup(0)
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.EBADF):
            raise
print("ready", flush=True)
sys.stdin.read()

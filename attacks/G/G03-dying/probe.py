import os, signal, sys, tempfile, time

own, kept = tempfile.mkdtemp() + "/own", sys.argv[1]
patience = int(sys.argv[2])


def ask():
    while True:
        for path in (own, kept):
            for call in (lambda: os.chmod(path, 0o600), lambda: os.unlink(path)):
                try:
                    call()
                except OSError:
                    pass
        open(own, "w").close()


for number in range(60):
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        ask()
    time.sleep(patience * number / 20_000)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

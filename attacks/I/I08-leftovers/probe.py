import os, sys, time

here, project = sys.argv[1:]
end = time.monotonic() + 8
while not os.path.exists(f"{project}/up") and time.monotonic() < end:
    time.sleep(0.01)
left = []
for folder in ("/tmp", "/var/tmp", "/run/lock", "/var/lock"):
    try:
        open(folder + "/" + here.replace("/", "-"), "w").close()
        left.append(folder + "/" + here.replace("/", "-"))
    except OSError:
        pass
end = time.monotonic() + 0.5
while not os.path.exists(f"{project}/found") and time.monotonic() < end:
    time.sleep(0.01)
for file in left:
    os.unlink(file)

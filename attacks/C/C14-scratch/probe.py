import os, sys, tempfile, time

try:
    os.chdir(tempfile.mkdtemp(dir=sys.argv[1]))
except OSError:
    os.chdir(tempfile.mkdtemp())
os.mkdir("many")
for number in range(3000):
    open(f"many/{number}", "w").close()
top = os.getcwd()
for _ in range(300):
    os.mkdir("deeper")
    os.chdir("deeper")
if os.fork() == 0:
    os.setsid()
    for number in range(3):
        os.close(number)
    time.sleep(3)
    os._exit(0)
os.chdir(top)
for number in range(100):
    os.mkdir(f"closed{number}")
    os.chmod(f"closed{number}", 0)

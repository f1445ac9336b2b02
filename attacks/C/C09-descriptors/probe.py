import os, sys

outside = sys.argv[1]
for number in range(3, 1024):
    for path in (f"/proc/self/fd/{number}/secret", f"/proc/self/fd/{number}/../folder/secret", f"/dev/fd/{number}/../../..{outside}/folder/secret"):
        try:
            print(open(path).read())
        except OSError:
            pass
    try:
        os.chdir(f"/proc/self/fd/{number}")
        print(open("secret").read())
    except OSError:
        pass
print("ready", flush=True)
sys.stdin.read()

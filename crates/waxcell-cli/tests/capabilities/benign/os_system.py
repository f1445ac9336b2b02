import os

status = os.system("echo hello > out/hello.txt && cat out/hello.txt")
print("status", status)

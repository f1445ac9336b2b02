import os, threading, time


def thread():
    os.write(1, b"x" * 1000)
    time.sleep(1)


for _ in range(60):
    threading.Thread(target=thread).start()

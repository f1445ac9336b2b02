import os, threading, time


def thread():
    os.write(1, b"x" * 1000)
    time.sleep(0.5)


threading.stack_size(1 << 30)
for _ in range(30):
    threading.Thread(target=thread).start()

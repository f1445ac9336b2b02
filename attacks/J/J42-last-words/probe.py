import os, signal, time


def answer(number, _):
    os.write(1, b"%d\n" % number)


for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    signal.signal(number, answer)
os.kill(os.getpid(), signal.SIGTERM)
end = time.monotonic() + 3
while time.monotonic() < end:
    os.write(1, b".")
    time.sleep(0.05)

import os, signal, sys, time

patience = int(sys.argv[1])


def answer(number, _):
    os.write(1, b"%d\n" % number)


for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    signal.signal(number, answer)
os.kill(os.getpid(), signal.SIGTERM)
end = time.monotonic() + 3 * patience
while time.monotonic() < end:
    os.write(1, b".")
    time.sleep(0.05)

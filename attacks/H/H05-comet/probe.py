import os, time

end = time.monotonic() + 1.5
if os.fork() == 0:
    os.setsid()
    while time.monotonic() < end:
        # Long enough for the judge to see one of them.
        time.sleep(0.2)
        if os.fork():
            os._exit(0)

import os, sys, time

here, project, patience = sys.argv[1:]
end = time.monotonic() + 15
while not os.path.exists(f"{project}/done") and time.monotonic() < end:
    time.sleep(0.01)
time.sleep(0.6 * int(patience))

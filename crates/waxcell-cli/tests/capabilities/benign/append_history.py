import datetime

LOG = "out/history.txt"
with open(LOG, "a") as log:
    log.write(f"{datetime.date(2026, 1, 1).isoformat()}\n")
with open(LOG) as log:
    print(len(log.readlines()))

import os, time

time.sleep(0.1)
os.close(0)
time.sleep(3)

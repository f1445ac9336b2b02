import atexit, sys, threading, time

atexit.register(time.sleep, 3)
threading.Thread(target=time.sleep, args=(1,)).start()
sys.exit(0)

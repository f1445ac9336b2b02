import atexit, sys, threading, time

patience = int(sys.argv[1])
atexit.register(time.sleep, 3 * patience)
threading.Thread(target=time.sleep, args=(1,)).start()
sys.exit(0)

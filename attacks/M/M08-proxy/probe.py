import os, sys, urllib.request

direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for open_ in (urllib.request.urlopen, direct.open):
    try:
        open_(sys.argv[1], timeout=0.2)
    except OSError:
        pass
os.environ.update(NO_PROXY="*", no_proxy="*")
try:
    urllib.request.urlopen(sys.argv[1], timeout=0.2)
except OSError:
    pass

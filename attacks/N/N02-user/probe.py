import sys, urllib.request

for url in sys.argv[1:]:
    try:
        urllib.request.urlopen(url, timeout=2)
    except (OSError, ValueError):
        pass

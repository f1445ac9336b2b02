import os, sys, urllib.request

os.environ.update(http_proxy=f"http://{sys.argv[1]}:80", HTTPS_PROXY=f"http://{sys.argv[1]}:80")
for url in ("http://www.example.org/", "https://www.example.org/"):
    try:
        urllib.request.urlopen(url, timeout=0.5)
    except OSError:
        pass

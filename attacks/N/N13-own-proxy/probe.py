import os, subprocess, sys

own = dict(os.environ, NO_PROXY="www.example.org", http_proxy=f"http://{sys.argv[1]}:80", all_proxy=f"http://{sys.argv[1]}:80")
program = "import urllib.request as r; r.urlopen('http://v4.example.org/', timeout=2)"
subprocess.run([sys.executable, "-c", program], env=own, stderr=subprocess.DEVNULL)

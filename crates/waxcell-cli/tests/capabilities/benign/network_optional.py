import json
import urllib.request


def latest(url="https://updates.example.org/latest.json"):
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return json.load(reply)
    except OSError:
        return None


print(latest() is None)

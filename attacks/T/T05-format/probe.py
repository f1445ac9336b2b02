"""The format is what walks, no expression does (CVE-2024-47532)."""


class Note:
    secret = "escaped"

    def __init__(self):
        self.text = ""


found = "{0.__class__.__init__.__globals__[Note].secret}".format(Note())
open("data/file", "w").write(found)

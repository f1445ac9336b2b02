#!/usr/bin/env python3
"""Describe a text that comes through a pipe.

    cat proposals/BIP-025.md | python3 scripts/digest.py "Résumé 摘要 ملخص 🐝"

The arguments are labels, printed as they are. Output is UTF-8 whatever the terminal says.
Exit code: 0, or 1 when the text is empty or not UTF-8.
"""

import hashlib
import os
import sys
import unicodedata
from collections import Counter

SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "CJK", "HIRAGANA", "KATAKANA", "DEVANAGARI", "HANGUL")


def script_of(character):
    name = unicodedata.name(character, "").split(" ")[0]
    return name.lower() if name in SCRIPTS else "other"


def main():
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stderr.reconfigure(encoding="utf-8")
    labels = [os.fsencode(word).decode("utf-8", "replace") for word in sys.argv[1:]]
    data = sys.stdin.buffer.read()
    if not data:
        print("digest: nothing on standard input", file=sys.stderr)
        return 1
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        print("digest: not UTF-8 at byte %d" % error.start, file=sys.stderr)
        return 1

    for number, label in enumerate(labels, start=1):
        print("label %d    %s (%d characters)" % (number, label, len(label)))
    composed = unicodedata.normalize("NFC", text)
    letters = Counter(script_of(character) for character in text if character.isalpha())
    print("bytes      %d" % len(data))
    print("characters %d (%d composed)" % (len(text), len(composed)))
    print("lines      %d" % len(text.splitlines()))
    print("combining  %d" % sum(1 for character in text if unicodedata.combining(character)))
    print("letters    %s" % ", ".join("%s %d" % pair for pair in sorted(letters.items())))
    print("sha256     %s" % hashlib.sha256(data).hexdigest())
    print("sha256 NFC %s" % hashlib.sha256(composed.encode("utf-8")).hexdigest())
    print("first line %s" % text.splitlines()[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())

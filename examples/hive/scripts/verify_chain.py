#!/usr/bin/env python3
"""Check the hash chain over the vote files.

    python3 scripts/verify_chain.py
    python3 scripts/verify_chain.py --root fixtures/broken

Prints one line per proposal. A break is named with the exact file. Exit code: 0 all hold, 1 a break, 3 cannot check.
"""

import argparse
import json
import sys
from pathlib import Path

import chain


def arguments():
    parser = argparse.ArgumentParser(prog="verify_chain.py", description="Check the hash chain over the vote files.")
    parser.add_argument("--bip", type=int, default=None, metavar="N", help="only this proposal")
    parser.add_argument("--root", type=Path, default=Path("."), help="project root (default: current directory)")
    return parser.parse_args()


def main():
    options = arguments()
    root = options.root
    state = json.loads((root / "state" / "governance.json").read_text(encoding="utf-8"))
    if options.bip is None:
        names = sorted(path.name for path in (root / "votes").iterdir() if path.is_dir())
    else:
        names = ["BIP-%03d" % options.bip]

    votes = breaks = 0
    for bip in names:
        try:
            paths = sorted((root / "votes" / bip).glob("*.json"))
            known_head = state["proposals"].get(bip, {}).get("chain_head")
            count, head = chain.walk(root / "proposals" / (bip + ".json"), paths, known_head)
        except chain.Break as error:
            breaks += 1
            print("%s  BROKEN" % bip)
            print("BROKEN %s" % error, file=sys.stderr)
        else:
            votes += count
            print("%s  %2d votes  head %s" % (bip, count, head))
    if breaks:
        print("%d of %d chains are broken" % (breaks, len(names)))
        return 1
    print("chain intact: %d votes on %d proposals 🔗" % (votes, len(names)))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        print("verify_chain: %s" % error, file=sys.stderr)
        sys.exit(3)

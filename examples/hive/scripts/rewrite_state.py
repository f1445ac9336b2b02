#!/usr/bin/env python3
"""Move a proposal to a new status, by rewriting state/governance.json atomically.

    python3 scripts/rewrite_state.py --bip 25 --status implementing --at 2025-11-03T09:00:00Z

A reader sees the old file or the new one, never a half: the new text goes into a temporary file in the same folder, is
flushed to disk, and takes the place of the old one in a single rename.

Exit code: 0 rewritten, 1 the rules do not allow this step (nothing is written), 3 cannot read or write the state.
"""

import argparse
import datetime
import json
import os
import sys
import tempfile
from pathlib import Path

STEPS = {
    "draft": ["voting", "withdrawn"],
    "voting": ["approved", "rejected", "draft", "withdrawn"],
    "approved": ["implementing", "withdrawn"],
    "implementing": ["implemented", "withdrawn"],
    "implemented": [],
    "rejected": ["draft"],
    "withdrawn": ["draft"],
}


def arguments():
    parser = argparse.ArgumentParser(prog="rewrite_state.py", description="Move a proposal to a new status.")
    parser.add_argument("--bip", type=int, required=True, metavar="N", help="number of the proposal")
    parser.add_argument("--status", required=True, choices=sorted(STEPS), help="the new status")
    parser.add_argument("--at", default=None, metavar="TIME", help="time of the change (default: now)")
    parser.add_argument("--note", default="", help="a line for the history")
    parser.add_argument("--root", type=Path, default=Path("."), help="project root (default: current directory)")
    return parser.parse_args()


def replace_atomically(path, data):
    # mkstemp makes the file readable for its owner alone, and so is the state after the rename: a chmod would be
    # needed to open it up, and nobody asked for that.
    descriptor, temporary = tempfile.mkstemp(prefix="." + path.name + ".", suffix=".tmp", dir=str(path.parent))
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, str(path))
    except BaseException:
        os.unlink(temporary)
        raise
    # The rename itself is safe only when the folder is on disk as well.
    folder = os.open(str(path.parent), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def main():
    options = arguments()
    path = options.root / "state" / "governance.json"
    state = json.loads(path.read_text(encoding="utf-8"))
    bip = "BIP-%03d" % options.bip
    if bip not in state["proposals"]:
        print("rewrite_state: %s is not in %s" % (bip, path), file=sys.stderr)
        return 1
    proposal = state["proposals"][bip]
    before = proposal["status"]
    if options.status not in STEPS[before]:
        allowed = ", ".join(STEPS[before]) or "nothing"
        print("rewrite_state: %s is %s; from there it can become %s" % (bip, before, allowed), file=sys.stderr)
        return 1

    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    at = options.at or now
    state["revision"] += 1
    state["updated"] = at
    proposal["status"] = options.status
    proposal["since"] = at
    state["history"].append(
        {
            "revision": state["revision"],
            "bip": bip,
            "from": before,
            "to": options.status,
            "at": at,
            "note": options.note,
        }
    )
    replace_atomically(path, (json.dumps(state, ensure_ascii=False, indent=2) + "\n").encode("utf-8"))
    print("%s: %s → %s (revision %d)" % (bip, before, options.status, state["revision"]))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError, KeyError) as error:
        print("rewrite_state: %s" % error, file=sys.stderr)
        sys.exit(3)

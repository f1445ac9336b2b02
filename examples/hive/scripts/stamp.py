#!/usr/bin/env python3
"""Stamp a file: its hashes, and what git says about it.

    python3 scripts/stamp.py proposals/BIP-025.md

Calls git as a child process. A machine without git gets a stamp without it. Writes reports/stamp-<name>.json.
Exit code: 0 stamped, 1 git computes another hash than we do, 3 cannot read or write.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def arguments():
    parser = argparse.ArgumentParser(prog="stamp.py", description="Stamp a file with its hashes.")
    parser.add_argument("file", type=Path, help="the file to stamp")
    parser.add_argument("--commit", action="store_true", help="name the last commit of the project as well")
    parser.add_argument("--root", type=Path, default=PROJECT, help="project root (default: the parent of scripts/)")
    return parser.parse_args()


def git(*words, stdin=b"", repository=False):
    """What git prints, or None when there is no git or it fails."""
    environment = dict(os.environ, LC_ALL="C", GIT_TERMINAL_PROMPT="0")
    if not repository:
        # Hashing a blob needs no repository: keep git from looking for one.
        environment["GIT_DIR"] = os.devnull
        environment["GIT_DEFAULT_HASH"] = "sha1"
    try:
        done = subprocess.run(
            ("git",) + words,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    return done.stdout.decode("utf-8").strip()


def main():
    options = arguments()
    data = options.file.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    stamp = {
        "file": options.file.name,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "git_blob": blob,
        "git": git("--version"),
        "git_says": git("hash-object", "--stdin", stdin=data),
    }
    if options.commit:
        stamp["commit"] = git("-C", str(options.root), "log", "-1", "--format=%H %cI", repository=True)

    folder = options.root / "reports"
    folder.mkdir(exist_ok=True)
    target = folder / ("stamp-%s.json" % options.file.stem)
    target.write_text(json.dumps(stamp, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

    for key, value in stamp.items():
        print("%-9s %s" % (key, "–" if value is None else value))
    if stamp["git_says"] not in (None, blob):
        print("stamp: git computes another hash", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        print("stamp: %s" % error, file=sys.stderr)
        sys.exit(3)

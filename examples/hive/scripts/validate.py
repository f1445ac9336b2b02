#!/usr/bin/env python3
"""Check every JSON file of the project against its schema, and the front matter of every proposal against its JSON.

    python3 scripts/validate.py
    python3 scripts/validate.py --root fixtures/broken

Needs the package `jsonschema`. Prints one line per failure. Exit code: 0 all valid, 1 something is not, 3 cannot check.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

try:
    from jsonschema import Draft7Validator
except ImportError as error:
    print("validate: needs the Python package `jsonschema` (%s)" % error, file=sys.stderr)
    print("validate: install it with `python3 -m pip install jsonschema`, best in a virtual environment", file=sys.stderr)
    sys.exit(3)

HERE = Path(__file__).resolve().parent

# schema -> the files that must follow it
TREE = [
    ("models", "models.json"),
    ("state", "state/governance.json"),
    ("proposal", "proposals/*.json"),
    ("vote", "votes/*/*.json"),
]


def arguments():
    parser = argparse.ArgumentParser(prog="validate.py", description="Check the project against its schemas.")
    parser.add_argument("--root", type=Path, default=Path("."), help="project root (default: current directory)")
    parser.add_argument("--schemas", type=Path, default=HERE.parent / "schemas", help="folder of the schemas")
    return parser.parse_args()


def load_validator(folder, name):
    schema = json.loads((folder / (name + ".json")).read_text(encoding="utf-8"))
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


def place(error):
    return "/".join(str(step) for step in error.absolute_path) or "(whole file)"


def failures_of(validator, path):
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        return ["not JSON: %s" % error]
    found = ["%s: %s" % (place(error), error.message) for error in validator.iter_errors(document)]
    return sorted(found)


def front_matter(path):
    """The `key: value` lines between the two `---` at the top."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0] != "---" or "---" not in lines[1:]:
        return None
    pairs = (line.partition(":") for line in lines[1 : lines.index("---", 1)])
    return {key.strip(): value.strip() for key, _, value in pairs}


def front_matter_failures(path):
    matter = front_matter(path)
    if matter is None:
        return ["no front matter"]
    twin = path.with_suffix(".json")
    if not twin.exists():
        return ["%s is missing" % twin.name]
    proposal = json.loads(twin.read_text(encoding="utf-8"))
    found = [
        "front matter says %s `%s`, %s says `%s`" % (key, matter.get(key), twin.name, proposal.get(key))
        for key in ("id", "title", "author", "type", "created")
        if matter.get(key) != proposal.get(key)
    ]
    if hashlib.sha256(path.read_bytes()).hexdigest() != proposal.get("text", {}).get("sha256"):
        found.append("is not the text whose SHA-256 stands in %s" % twin.name)
    return found


def main():
    options = arguments()
    failures = []
    checked = 0
    for name, pattern in TREE:
        validator = load_validator(options.schemas, name)
        paths = sorted(options.root.glob(pattern))
        for path in paths:
            failures += [(path, failure) for failure in failures_of(validator, path)]
        print("%-9s %4d files" % (name, len(paths)))
        checked += len(paths)
    texts = sorted(options.root.glob("proposals/*.md"))
    for path in texts:
        failures += [(path, failure) for failure in front_matter_failures(path)]
    print("%-9s %4d files" % ("markdown", len(texts)))
    checked += len(texts)

    for path, failure in failures:
        print("INVALID %s: %s" % (path.relative_to(options.root).as_posix(), failure))
    if checked == 0:
        print("validate: nothing to check in %s" % options.root, file=sys.stderr)
        return 3
    print("%d files checked, %d failures" % (checked, len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""Make an index of all minutes and proposals.

    python3 scripts/index.py
    python3 scripts/index.py --print > everything.md

Writes reports/INDEX.md. With --print, the index and then the full text of every file go to standard output as well.
"""

import argparse
import sys
import urllib.parse
from pathlib import Path


def arguments():
    parser = argparse.ArgumentParser(prog="index.py", description="Make an index of all minutes and proposals.")
    parser.add_argument("--print", dest="show", action="store_true", help="index and full texts on standard output")
    parser.add_argument("--root", type=Path, default=Path("."), help="project root (default: current directory)")
    return parser.parse_args()


class Page:
    """A Markdown file: its front matter, its text, and its place."""

    def __init__(self, root, path):
        self.place = path.relative_to(root).as_posix()
        self.text = path.read_text(encoding="utf-8")
        self.matter = {}
        lines = self.text.splitlines()
        if lines and lines[0] == "---":
            for line in lines[1:]:
                if line == "---":
                    break
                key, _, value = line.partition(":")
                self.matter[key.strip()] = value.strip()
        self.words = len(self.text.split())

    @property
    def title(self):
        return self.matter.get("title", self.place)

    @property
    def bips(self):
        names = self.matter.get("bips", "").strip("[]").split(",")
        return [name.strip() for name in names if name.strip()]

    def decisions(self):
        """The items under the heading `Decisions`."""
        inside = False
        for line in self.text.splitlines():
            if line.startswith("## "):
                inside = line == "## Decisions"
            elif inside and line.startswith("- "):
                yield line[2:]

    def link(self):
        return "[%s](%s)" % (self.title, urllib.parse.quote("../" + self.place))


def months(pages):
    """The pages in runs of equal month."""
    found = {}
    for page in pages:
        found.setdefault(page.matter.get("date", "undated")[:7], []).append(page)
    return sorted(found.items())


def index_of(proposals, minutes):
    lines = ["# Index", "", "%d proposals, %d minutes, %d words." % (
        len(proposals),
        len(minutes),
        sum(page.words for page in proposals + minutes),
    ), ""]
    mentions = {}
    for page in minutes:
        for bip in page.bips:
            mentions.setdefault(bip, []).append(page)

    lines += ["## Proposals", "", "| proposal | author | discussed in |", "|---|---|---|"]
    for page in proposals:
        dates = ", ".join(other.matter.get("date", "?") for other in mentions.get(page.matter.get("id"), []))
        lines.append("| %s %s | %s | %s |" % (page.matter.get("id"), page.link(), page.matter.get("author"), dates or "–"))

    lines += ["", "## Minutes", ""]
    for month, pages in months(minutes):
        lines += ["### %s" % month, ""]
        for page in pages:
            lines.append("- %s, chair %s, %d words" % (page.link(), page.matter.get("chair", "?"), page.words))
            lines += ["  - %s" % decision for decision in page.decisions()]
        lines.append("")
    return "\n".join(lines)


def main():
    options = arguments()
    root = options.root
    proposals = [Page(root, path) for path in sorted((root / "proposals").glob("*.md"))]
    minutes = [Page(root, path) for path in sorted((root / "minutes").glob("*/*.md"))]
    if not proposals and not minutes:
        print("index: no Markdown files in %s" % root, file=sys.stderr)
        return 1

    text = index_of(proposals, minutes)
    folder = root / "reports"
    folder.mkdir(exist_ok=True)
    (folder / "INDEX.md").write_text(text, encoding="utf-8")
    if options.show:
        sys.stdout.write(text)
        for page in proposals + minutes:
            sys.stdout.write("\n<!-- %s -->\n\n%s" % (page.place, page.text))
    else:
        print("reports/INDEX.md: %d proposals, %d minutes" % (len(proposals), len(minutes)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Weighted tally of the votes on a proposal.

    python3 scripts/tally.py --bip 25
    python3 scripts/tally.py --all

Writes reports/tally-BIP-025.json and reports/tally-BIP-025.md; with --all, one pair for all proposals together:
reports/tally-ALL.json and reports/tally-ALL.md, which also says which models vote alike.

Exit code for one proposal: 0 approved, 1 rejected, 2 no quorum; 3 when it cannot be counted. With --all: 0 or 3.
"""

import argparse
import datetime
import hashlib
import json
import sys
import unicodedata
from pathlib import Path

EXIT = {"approved": 0, "rejected": 1, "no quorum": 2}
CANNOT_COUNT = 3
MARK = {"approve": "✅", "reject": "❌", "abstain": "⚪"}


class CannotCount(Exception):
    """The files do not allow a tally."""


class Arguments(argparse.ArgumentParser):
    """argparse leaves with 2, which means "no quorum" here."""

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(CANNOT_COUNT, "tally: %s\n" % message)


def arguments():
    parser = Arguments(prog="tally.py", description="Weighted tally of the votes on a proposal.")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--bip", type=int, metavar="N", help="number of the proposal")
    which.add_argument("--all", action="store_true", help="every proposal that has votes")
    parser.add_argument("--root", type=Path, default=Path("."), help="project root (default: current directory)")
    parser.add_argument("--at", default=None, metavar="TIME", help="time to print in the reports (default: none)")
    return parser.parse_args()


def read_json(path):
    try:
        data = path.read_bytes()
        return json.loads(data.decode("utf-8")), data
    except OSError as error:
        raise CannotCount("%s: %s" % (path, error.strerror))
    except ValueError as error:
        raise CannotCount("%s: not JSON (%s)" % (path, error))


def cast_time(path, text):
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise CannotCount("%s: `%s` is no time in UTC" % (path, text))


def window(ballots):
    """How long the vote took, from the first ballot to the last."""
    if not ballots:
        return None
    return str(ballots[-1]["cast"] - ballots[0]["cast"])


def read_ballots(folder, bip, weights):
    """The ballots of one proposal in the order they were cast, each with the hash of its file."""
    ballots = []
    for path in sorted(folder.glob("*.json")):
        vote, data = read_json(path)
        if vote["bip"] != bip:
            raise CannotCount("%s: is a vote on %s" % (path, vote["bip"]))
        if vote["model"] not in weights:
            raise CannotCount("%s: `%s` is not in models.json" % (path, vote["model"]))
        if vote["weight"] != weights[vote["model"]]:
            raise CannotCount("%s: weight %s, but models.json says %s" % (path, vote["weight"], weights[vote["model"]]))
        ballots.append(
            {
                "sequence": vote["sequence"],
                "model": vote["model"],
                "weight": vote["weight"],
                "vote": vote["vote"],
                "score": vote["score"],
                "justification": vote["justification"],
                "cast": cast_time(path, vote["timestamp"]),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
        )
    ballots.sort(key=lambda ballot: ballot["sequence"])
    for before, ballot in zip(ballots, ballots[1:]):
        if ballot["cast"] < before["cast"]:
            raise CannotCount("%s: %s voted before %s, but stands after it" % (bip, ballot["model"], before["model"]))
    return ballots


def check_text(root, proposal):
    """The text that was voted on is the one that lies there now."""
    path = root / "proposals" / proposal["text"]["file"]
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CannotCount("%s: %s" % (path, error.strerror))
    if digest != proposal["text"]["sha256"]:
        raise CannotCount("%s: has changed since %s was opened for votes" % (path, proposal["id"]))


def result_of(cast, rules, total_weight):
    """Count with whole numbers only: a result must not hang on the rounding of a float."""
    decided = cast["approve"] + cast["reject"]
    if (decided + cast["abstain"]) * 100 < rules["quorum_percent"] * total_weight or decided == 0:
        return "no quorum"
    if cast["approve"] * 100 >= rules["threshold_percent"] * decided:
        return "approved"
    return "rejected"


def pivots(ballots, cast, rules, total_weight):
    """The models that alone could have turned the result, by another vote or by staying away."""
    result = result_of(cast, rules, total_weight)
    found = []
    for ballot in ballots:
        without = dict(cast)
        without[ballot["vote"]] -= ballot["weight"]
        others = [without]
        for vote in without:
            others.append(dict(without))
            others[-1][vote] += ballot["weight"]
        if any(result_of(other, rules, total_weight) != result for other in others):
            found.append(ballot["model"])
    return found


def tally(proposal, ballots, total_weight):
    cast = {"approve": 0, "reject": 0, "abstain": 0}
    for ballot in ballots:
        cast[ballot["vote"]] += ballot["weight"]
    present = sum(cast.values())
    decided = cast["approve"] + cast["reject"]
    rules = proposal["rules"]
    scored = sum(ballot["score"] * ballot["weight"] for ballot in ballots)
    seal = hashlib.sha256("".join(ballot["sha256"] for ballot in ballots).encode("ascii")).hexdigest()
    return {
        "bip": proposal["id"],
        "title": proposal["title"],
        "result": result_of(cast, rules, total_weight),
        "pivotal": pivots(ballots, cast, rules, total_weight),
        "weight": dict(cast, present=present, registered=total_weight),
        "turnout_permille": present * 1000 // total_weight,
        "approval_permille": cast["approve"] * 1000 // decided if decided else 0,
        "score_mean_permille": scored * 100 // present if present else 0,
        "rules": rules,
        "window": window(ballots),
        "seal": seal,
        "ballots": [dict(ballot, cast=ballot["cast"].isoformat() + "Z") for ballot in ballots],
    }


def percent(permille):
    return "%d.%d %%" % divmod(permille, 10)


def width(text):
    """Columns in a terminal: wide characters take two, combining marks none."""
    columns = 0
    for character in text:
        if not unicodedata.combining(character) and unicodedata.category(character) != "Cf":
            columns += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return columns


def pad(text, columns):
    return text + " " * max(0, columns - width(text))


def as_markdown(report):
    lines = [
        "# Tally of %s: %s" % (report["bip"], report["title"]),
        "",
        "**%s**, turnout %s, approval %s"
        % (report["result"], percent(report["turnout_permille"]), percent(report["approval_permille"])),
        "",
        "| # | model | weight | vote | score | SHA-256 of the file |",
        "|--:|---|--:|---|--:|---|",
    ]
    for ballot in report["ballots"]:
        lines.append(
            "| %d | %s | %d | %s %s | %d | `%s` |"
            % (
                ballot["sequence"],
                ballot["model"],
                ballot["weight"],
                MARK[ballot["vote"]],
                ballot["vote"],
                ballot["score"],
                ballot["sha256"][:16],
            )
        )
    lines += ["", "## Reasons given", ""]
    lines += ["- **%s**: %s" % (ballot["model"], ballot["justification"]) for ballot in report["ballots"]]
    lines += ["", "Could have turned the result alone: %s." % (", ".join(report["pivotal"]) or "nobody")]
    lines += ["", "Seal: `%s`" % report["seal"]]
    if "at" in report:
        lines.append("Counted at %s." % report["at"])
    return "\n".join(lines) + "\n"


def agreement(reports):
    """How often two models voted alike, in permille of the proposals on which both took a side."""
    sides = {}
    for report in reports:
        for ballot in report["ballots"]:
            if ballot["vote"] != "abstain":
                sides.setdefault(ballot["model"], {})[report["bip"]] = ballot["vote"]
    models = sorted(sides)
    table = {}
    for one in models:
        for other in models:
            common = sides[one].keys() & sides[other].keys()
            alike = sum(sides[one][bip] == sides[other][bip] for bip in common)
            table[one, other] = alike * 1000 // len(common) if common else None
    return models, table


def agreement_markdown(reports):
    models, table = agreement(reports)
    lines = ["| | %s |" % " | ".join(models), "|---" * (len(models) + 1) + "|"]
    for one in models:
        cells = ("–" if table[one, other] is None else percent(table[one, other]) for other in models)
        lines.append("| %s | %s |" % (one, " | ".join(cells)))
    return "\n".join(lines)


def write_report(folder, name, document, markdown):
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    (folder / ("tally-%s.json" % name)).write_text(text, encoding="utf-8")
    (folder / ("tally-%s.md" % name)).write_text(markdown, encoding="utf-8")


def print_one(report):
    weight = report["weight"]
    print("%s  %s" % (report["bip"], report["title"]))
    for ballot in report["ballots"]:
        model = pad(ballot["model"], 16)
        print("  %s %s %3d  %s" % (model, MARK[ballot["vote"]], ballot["weight"], ballot["sha256"][:16]))
    print("turnout   %s (%d of %d)" % (percent(report["turnout_permille"]), weight["present"], weight["registered"]))
    print("approval  %s" % percent(report["approval_permille"]))
    print("result    %s" % report["result"].upper())


def line_of(report):
    return "%s  %s  %s %9s %9s  %2d votes" % (
        report["bip"],
        pad(report["result"], 9),
        report["seal"][:12],
        percent(report["turnout_permille"]),
        percent(report["approval_permille"]),
        len(report["ballots"]),
    )


def main():
    options = arguments()
    root = options.root
    registry, _ = read_json(root / "models.json")
    weights = {model["id"]: model["weight"] for model in registry["models"] if model["active"]}
    total_weight = sum(weights.values())
    if options.all:
        names = sorted(path.name for path in (root / "votes").iterdir() if path.is_dir())
    else:
        names = ["BIP-%03d" % options.bip]

    reports = []
    for name in names:
        proposal, _ = read_json(root / "proposals" / (name + ".json"))
        check_text(root, proposal)
        report = tally(proposal, read_ballots(root / "votes" / name, name, weights), total_weight)
        if options.at is not None:
            report["at"] = options.at
        reports.append(report)

    if not options.all:
        report = reports[0]
        write_report(root / "reports", report["bip"], report, as_markdown(report))
        print_one(report)
        return EXIT[report["result"]]

    lines = [line_of(report) for report in reports]
    text = "# All tallies\n\n```\n%s\n```\n\n## Who votes like whom\n\n%s\n\n"
    text %= ("\n".join(lines), agreement_markdown(reports))
    write_report(root / "reports", "ALL", reports, text + "\n".join(as_markdown(report) for report in reports))
    print("\n".join(lines))
    counts = {result: sum(report["result"] == result for report in reports) for result in EXIT}
    votes = sum(len(report["ballots"]) for report in reports)
    print("%d votes on %d proposals: %s" % (votes, len(reports), ", ".join("%d %s" % (n, r) for r, n in counts.items())))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CannotCount as error:
        print("tally: %s" % error, file=sys.stderr)
        sys.exit(CANNOT_COUNT)

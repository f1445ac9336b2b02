"""Collect the votes on a proposal from all models at once, and write them into a dated folder.

    python3 scripts/collect.py --bip 37 --date 2025-11-03

The end points are simulated in this file: most answer at once, one fails the first time, one never answers. What a
collector does around them is real: tasks, a queue with workers, time limits, retries, threads for the work that blocks.

Writes reports/collected/<date>/<BIP>/ballots.jsonl, one file per ballot, and SUMMARY.md.
Exit code: 0 quorum reached, 2 not reached, 3 cannot collect.
"""

import argparse
import asyncio
import datetime
import functools
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

import chain

PROJECT = Path(__file__).resolve().parent.parent
WORKERS = 4
ATTEMPTS = 2

REASONS = {
    "approve": ["Klar und prüfbar.", "证据充分，风险可控。", "مقترح واضح ومفيد.", "Simple, and easy to undo. 👍"],
    "reject": ["Trop large pour une seule proposition.", "Стоимость не оценена.", "Falta um plano de reversão."],
    "abstain": ["Conflict of interest: I wrote part of it.", "判断できる情報が足りない。"],
}


def arguments():
    parser = argparse.ArgumentParser(prog="collect.py", description="Collect the votes on a proposal.")
    parser.add_argument("--bip", type=int, required=True, metavar="N", help="number of the proposal")
    parser.add_argument("--date", default=None, metavar="YYYY-MM-DD", help="date of the report (default: today)")
    parser.add_argument("--timeout", type=float, default=0.4, metavar="S", help="time limit per attempt (default: 0.4)")
    parser.add_argument("--root", type=Path, default=PROJECT, help="project root (default: the parent of scripts/)")
    return parser.parse_args()


async def in_thread(function, *args):
    """asyncio.to_thread, which Python 3.8 does not have yet."""
    if hasattr(asyncio, "to_thread"):
        return await asyncio.to_thread(function, *args)
    return await asyncio.get_running_loop().run_in_executor(None, functools.partial(function, *args))


class EndPoint:
    """A model that is asked for its vote. It decides by hashing the question: the same on every run."""

    def __init__(self, model):
        self.model = model
        self.calls = 0

    async def ask(self, question):
        self.calls += 1
        behaviour = self.model["endpoint"]
        if behaviour == "silent":
            await asyncio.Event().wait()
        if behaviour == "flaky" and self.calls == 1:
            raise ConnectionResetError("connection reset by peer")
        seed = hashlib.sha256((question + self.model["id"]).encode("utf-8")).digest()
        await asyncio.sleep(seed[0] % 8 / 1000)
        vote = ("approve", "approve", "approve", "reject", "abstain")[seed[1] % 5]
        reasons = REASONS[vote]
        score = {"approve": 6, "abstain": 3, "reject": 0}[vote] + seed[2] % 5
        return {"vote": vote, "score": score, "justification": reasons[seed[3] % len(reasons)]}


def check_and_spool(spool, bip, model, answer):
    """Blocking work, done in a thread: check the answer and put it on disk."""
    if answer["vote"] not in REASONS or not 0 <= answer["score"] <= 10:
        raise ValueError("%s gave an answer that is no vote" % model["id"])
    ballot = {"bip": bip, "model": model["id"], "weight": model["weight"]}
    ballot.update(answer)
    path = os.path.join(spool, "%s.json" % hashlib.sha256(model["id"].encode("utf-8")).hexdigest()[:16])
    with open(path, "w", encoding="utf-8") as file:
        json.dump(ballot, file, ensure_ascii=False)
    return path


async def collect_one(end_point, question, bip, spool, timeout):
    """Ask until there is an answer or the attempts are used up; return (path or None, what happened)."""
    troubles = []
    for _ in range(ATTEMPTS):
        try:
            answer = await asyncio.wait_for(end_point.ask(question), timeout)
        except asyncio.TimeoutError:
            troubles.append("no answer in time")
        except ConnectionError as error:
            troubles.append(str(error))
        else:
            path = await in_thread(check_and_spool, spool, bip, end_point.model, answer)
            return path, troubles
    return None, troubles


async def worker(queue, outcomes, question, bip, spool, timeout):
    while True:
        end_point = await queue.get()
        try:
            outcome = await collect_one(end_point, question, bip, spool, timeout)
            outcomes[end_point.model["id"]] = outcome
        finally:
            queue.task_done()


async def collect(models, question, bip, spool, timeout):
    queue = asyncio.Queue()
    outcomes = {}
    for model in models:
        queue.put_nowait(EndPoint(model))
    workers = [
        asyncio.ensure_future(worker(queue, outcomes, question, bip, spool, timeout)) for _ in range(WORKERS)
    ]
    joined = asyncio.ensure_future(queue.join())
    await asyncio.wait([joined] + workers, return_when=asyncio.FIRST_COMPLETED)
    for task in [joined] + workers:
        task.cancel()
    results = await asyncio.gather(*workers, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
    return outcomes


def summary(proposal, date, ballots, outcomes, present, total, quorum, head):
    lines = ["# %s: %s" % (proposal["id"], proposal["title"]), "", "Collected on %s." % date, ""]
    lines += ["| model | vote | score | remarks |", "|---|---|--:|---|"]
    by_model = {ballot["model"]: ballot for ballot in ballots}
    for name, (_, troubles) in outcomes:
        ballot = by_model.get(name)
        remarks = "; ".join(troubles)
        if ballot is None:
            lines.append("| %s | none | | %s |" % (name, remarks))
        else:
            lines.append("| %s | %s | %d | %s |" % (name, ballot["vote"], ballot["score"], remarks))
    lines += ["", "Weight %d of %d, %s. Head of the chain: `%s`." % (present, total, quorum, head), ""]
    return "\n".join(lines)


def main():
    options = arguments()
    date = options.date or datetime.date.today().isoformat()
    datetime.datetime.strptime(date, "%Y-%m-%d")
    bip = "BIP-%03d" % options.bip
    genesis = (options.root / "proposals" / (bip + ".json")).read_bytes()
    proposal = json.loads(genesis.decode("utf-8"))
    registry = json.loads((options.root / "models.json").read_text(encoding="utf-8"))
    models = [model for model in registry["models"] if model["active"]]

    with tempfile.TemporaryDirectory(prefix="collect-") as spool:
        outcomes = asyncio.run(collect(models, proposal["title"], bip, spool, options.timeout))
        ballots = []
        for model in models:
            path, _ = outcomes[model["id"]]
            if path is not None:
                with open(path, encoding="utf-8") as file:
                    ballots.append(json.load(file))

    files, head = chain.link(chain.sha256_of(genesis), ballots)
    present = sum(ballot["weight"] for ballot in ballots)
    total = sum(model["weight"] for model in models)
    reached = present * 100 >= proposal["rules"]["quorum_percent"] * total
    quorum = "quorum reached" if reached else "no quorum"

    folder = os.path.join(str(options.root), "reports", "collected", date)
    os.makedirs(folder, exist_ok=True)
    folder = os.path.join(folder, bip)
    if not os.path.isdir(folder):
        os.mkdir(folder)
    with open(os.path.join(folder, "ballots.jsonl"), "w", encoding="utf-8", newline="\n") as lines:
        for ballot, data in files:
            lines.write(json.dumps(ballot, ensure_ascii=False) + "\n")
            with open(os.path.join(folder, ballot["model"] + ".json"), "wb") as file:
                file.write(data)
    ordered = [(model["id"], outcomes[model["id"]]) for model in models]
    text = summary(proposal, date, ballots, ordered, present, total, quorum, head)
    with open(os.path.join(folder, "SUMMARY.md"), "w", encoding="utf-8", newline="\n") as file:
        file.write(text)

    for name, (path, troubles) in ordered:
        state = "voted" if path else "silent"
        print("%-6s %s%s" % (state, name, " (%s)" % "; ".join(troubles) if troubles else ""))
    print("%s: %d of %d models, weight %d of %d, %s" % (bip, len(ballots), len(models), present, total, quorum))
    return 0 if reached else 2


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        print("collect: %s" % error, file=sys.stderr)
        sys.exit(3)

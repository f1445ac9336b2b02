"""The hash chain of the votes: what is hashed, and in which order.

Each vote names in `previous_hash` the SHA-256 of the vote file before it, the first vote that of the proposal's JSON file.
A vote that is changed, removed or slipped in later therefore breaks the link of the vote after it, and the last vote is
held by ``chain_head`` in state/governance.json.

This module is imported by the scripts beside it; it is not a script itself.
"""

import hashlib
import json


def sha256_of(data):
    """The SHA-256 of bytes, as hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def encode(ballot):
    """The bytes of a ballot file: readable, and the same on every machine."""
    return (json.dumps(ballot, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def link(genesis, ballots):
    """Give each ballot its place in a new chain; return the file bytes of each, and the head."""
    head = genesis
    files = []
    for sequence, ballot in enumerate(ballots, start=1):
        linked = dict(ballot, sequence=sequence, previous_hash=head)
        data = encode(linked)
        files.append((linked, data))
        head = sha256_of(data)
    return files, head


class Break(Exception):
    """The place where a chain does not hold."""

    def __init__(self, path, reason):
        super().__init__("%s: %s" % (path, reason))


def walk(genesis_path, vote_paths, known_head):
    """Follow the chain of one proposal up to its known head.

    Return the number of votes and the head, or raise Break with the exact file: the one that is no longer what the next
    link says it was.
    """
    votes = []
    for path in vote_paths:
        data = path.read_bytes()
        try:
            votes.append((json.loads(data.decode("utf-8")), path, sha256_of(data)))
        except ValueError as error:
            raise Break(path, "is not JSON (%s)" % error)
    votes.sort(key=lambda vote: vote[0].get("sequence", 0))

    before, head = genesis_path, sha256_of(genesis_path.read_bytes())
    for expected, (vote, path, digest) in enumerate(votes, start=1):
        if vote.get("sequence") != expected:
            raise Break(path, "has sequence %s where %d is due" % (vote.get("sequence"), expected))
        if vote.get("previous_hash") != head:
            raise Break(
                before,
                "hashes to %s…, but %s, which follows it, says %s…"
                % (head[:12], path.name, str(vote.get("previous_hash"))[:12]),
            )
        before, head = path, digest
    if head != known_head:
        raise Break(before, "hashes to %s…, but the state says the chain ends at %s…" % (head[:12], str(known_head)[:12]))
    return len(votes), head

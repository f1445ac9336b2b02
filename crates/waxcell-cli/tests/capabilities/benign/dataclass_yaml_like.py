from __future__ import annotations

import dataclasses
import json
import os


@dataclasses.dataclass
class Proposal:
    number: int
    title: str

    @classmethod
    def read(cls, path: str) -> Proposal:
        with open(path) as source:
            return cls(**json.load(source))


HERE = os.path.dirname(os.path.abspath(__file__))
proposal = Proposal.read(os.path.join(HERE, "..", "data", "proposal.json"))
print(proposal)

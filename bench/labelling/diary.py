"""What simulated people saw, sent and were told: what the ledger is compared with."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """One request: what for, when it began, and how long it took until its answer was there, in seconds."""

    kind: str
    begun: float
    seconds: float


@dataclass
class Showing:
    """A lease on somebody's page: from when its pair was there, until an answer was sent or it was taken away."""

    person: int
    token: str
    since: float
    until: float = math.inf


@dataclass
class Diary:
    """Of all people: `sent` and `told` are by key, what was sent by whom, and what became of it as the server said.

    `refused` counts answers that were no 200, by status. `dry` counts how often no pair was there for somebody.
    """

    requests: list[Request] = field(default_factory=list)
    showings: list[Showing] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)
    dry: int = 0

"""A desk on a ledger of its own, whose leases run by a clock that only the test moves."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.desk import Annotator, Desk, Instant, Lease, Receipt, Rules
from boldly.ledger.sql.verify import audit
from boldly.testing import query

FREE: Mapping[Any, Budget] = {}


@dataclass
class Hand:
    """A clock that is moved by hand."""

    seconds: float = 1000.0
    clock: str = "by hand"

    def __call__(self, _: object) -> Instant:
        return Instant(self.clock, self.seconds)


class Run:
    """A ledger with queries that wait, and the desk in front of it; `further` opens another one like it."""

    def __init__(self, location: str | Path, *, queries: int = 6, hand: Hand | None = None, **rules: Any) -> None:
        self.location = location
        self.hand = hand or Hand()
        self.rules = Rules(**{"budgets": FREE, "prices": {"training": 0.5, "consistency": 0.25}, **rules})
        self.ledger = SqlLedger(location, exclusive=False)
        if isinstance(location, Path):
            self.ledger._database._raw.execute("PRAGMA synchronous = OFF")  # nobody cuts the power here
        self.ledger.ask([query(place) for place in range(queries)])
        self.desk = Desk(self.ledger, self.rules, clock=self.hand)
        self._keys = 0

    def allow(self, **rules: Any) -> None:
        """Go on under other rules, as after a restart."""
        self.rules = replace(self.rules, **rules)
        self.desk = Desk(self.ledger, self.rules, clock=self.hand)

    def key(self) -> str:
        self._keys += 1
        return f"key {self._keys}"

    def lease(self, annotator: Annotator, *held: Lease) -> Lease:
        lease = self.desk.lease(annotator, holding=[each.token for each in held])
        assert lease is not None
        return lease

    def choose(self, annotator: Annotator, lease: Lease, action: Any = "a", **said: Any) -> Receipt:
        return self.desk.choose(annotator, lease.token, key=self.key(), action=action, **said)

    def label(self, annotator: Annotator, action: Any = "a") -> Lease:
        """Answer the next pair."""
        lease = self.lease(annotator)
        assert self.choose(annotator, lease, action).outcome == "label"
        return lease

    def undo(self, annotator: Annotator) -> Lease | None:
        return self.desk.undo(annotator, key=self.key())

    def outcomes(self) -> list[str]:
        return [choice.outcome for choice in self.desk.choices()]

    def close(self) -> None:
        """Nothing that happened breaks a rule of the ledger."""
        self.ledger.close()
        found = audit(self.location)
        assert found.ok, found.violations

"""What people have said of a query so far, and what it comes to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import fsum
from typing import Any, get_args

from boldly.ledger.sql.desk.words import Action, Order
from boldly.types import Abstention, BothBad, Preference, Tie, Verdict, preference_of

VOTES = ("label", "vote")
"""Outcomes of a choice that counts beside those of others."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What one person says of a query."""

    action: str
    probability: float | None
    order: Order
    seconds: float | None
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def verdict(self) -> Verdict:
        match self.action:
            case "prefer" if self.probability is not None:
                return Preference(self.probability)
            case "tie":
                return Tie()
            case "both_bad":
                return BothBad()
            case _:
                return Abstention()

    @property
    def word(self) -> Action:
        """The choice that said so."""
        if self.action == "prefer":
            return "a" if (self.probability or 0.0) >= 0.5 else "b"
        return next(word for word in get_args(Action) if word == self.action)

    @property
    def known(self) -> dict[str, Any]:
        """What is kept of it with a label."""
        seconds = {} if self.seconds is None else {"seconds": self.seconds}
        return {"order": self.order, **seconds, **self.facts}


def vote(action: Action, order: Order, seconds: float | None, facts: Mapping[str, Any] | None = None) -> Vote:
    preferred = {"a": 1.0, "b": 0.0}.get(action)
    return Vote(action if preferred is None else "prefer", preferred, order, seconds, facts or {})


@dataclass(slots=True)
class Played:
    """What was done with one query: whose votes stand, who gave one, who was paid for it, who skipped the query.

    `settled` where the votes made a label.
    """

    standing: dict[int, Vote] = field(default_factory=dict[int, Vote])
    voted: set[int] = field(default_factory=set[int])
    paid: set[int] = field(default_factory=set[int])
    skips: set[int] = field(default_factory=set[int])
    settled: bool = False

    def play(self, annotator: int, said: Vote, outcome: str) -> None:
        """Go on by one choice."""
        if outcome in VOTES:
            self.voted.add(annotator)
            self.settled = self.settled or outcome == "label"
            if said.action != "skip":  # who skips twice abstains for nothing
                self.paid.add(annotator)
        if outcome in (*VOTES, "corrected"):
            self.standing[annotator] = said
        elif outcome == "skipped":
            self.skips.add(annotator)
        elif outcome in ("undone", "unskipped"):
            self.standing.pop(annotator, None)
            if outcome == "unskipped":
                self.skips.discard(annotator)

    def others(self, annotator: int) -> dict[int, Vote]:
        """The votes that stand of everybody else."""
        return {number: said for number, said in self.standing.items() if number != annotator}

    def after(self, annotator: int, said: Vote) -> "Played":
        """What it is when a person has said this."""
        standing = {**self.others(annotator), annotator: said}
        return replace(self, standing=standing, voted=self.voted | {annotator})


def summary(votes: Sequence[Verdict]) -> Verdict:
    """The verdict of several people: the mean probability that `a` is better over those who prefer, a tie being 1/2.

    Both-bad and abstentions count where more than half say so, or nobody prefers.
    """
    if len(votes) == 1:
        return votes[0]
    preferred = [p for p in map(preference_of, votes) if p is not None]
    bad = sum(isinstance(verdict, BothBad) for verdict in votes)
    declined = sum(isinstance(verdict, Abstention) for verdict in votes)
    if 2 * max(bad, declined) > len(votes) or not preferred:
        return BothBad() if bad >= declined and bad else Abstention()
    if all(isinstance(verdict, Tie) for verdict in votes):
        return Tie()
    return Preference(fsum(preferred) / len(preferred))

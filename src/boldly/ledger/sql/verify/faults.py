"""What an audit finds wrong: rows that break the law, by the rule they break."""

from collections.abc import Iterable
from dataclasses import dataclass

SHOWN = 20
"""Rows that are shown for each rule; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One row that breaks a rule: the rule in words, the table, the row's key, and what is wrong with it."""

    rule: str
    table: str
    key: str
    what: str


@dataclass(frozen=True, slots=True)
class Violation:
    """The rows that break one rule: the first of them, and how many there are."""

    rule: str
    count: int
    shown: tuple[Fault, ...]


class Faults:
    """Collects faults by rule, holding no more of them than are shown."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._shown: dict[str, list[Fault]] = {}

    def add(self, fault: Fault) -> None:
        self._counts[fault.rule] = self._counts.get(fault.rule, 0) + 1
        shown = self._shown.setdefault(fault.rule, [])
        if len(shown) < SHOWN:
            shown.append(fault)

    def extend(self, faults: Iterable[Fault]) -> None:
        for fault in faults:
            self.add(fault)

    def merge(self, others: "Faults") -> None:
        """Take in what another collected, of other rules."""
        self._counts |= others._counts
        self._shown |= others._shown

    def violations(self) -> tuple[Violation, ...]:
        return tuple(Violation(rule, count, tuple(self._shown[rule])) for rule, count in self._counts.items())


def collected(found: Iterable[Fault]) -> tuple[Violation, ...]:
    """Faults by the rule that they break."""
    faults = Faults()
    faults.extend(found)
    return faults.violations()

"""Any sequence of calls gives the same on disk, reopened at any time, as in memory."""

import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from boldly.errors import BoldlyError
from boldly.ledger import Budget, Correction, Ledger, MemoryLedger, RoundRecord, Step
from boldly.ledger.sql import SqlLedger, file
from boldly.testing import query, response
from boldly.types import ACCOUNTS, Abstention, BothBad, Failure, Label, Preference, Query, Tie

prices = st.sampled_from([0.0, 0.1, 0.25])
budgets = st.builds(Budget, st.sampled_from([None, 0, 2, 5]), st.sampled_from([None, 0.5, 1.0]))
verdicts = st.one_of(
    st.builds(Preference, st.floats(0, 1)),
    st.sampled_from([Tie(), BothBad(), Abstention(), Failure("down"), Failure("\ud83d")]),
)
holders = st.sampled_from(["run", "anna"])
keys = st.sampled_from(["k", "l"])
said = st.dictionaries(st.sampled_from(["order", "é"]), st.one_of(st.none(), st.floats(0, 1), st.text(max_size=2)))
numbers = st.floats(max_value=0, allow_nan=False, exclude_max=True)
asked = st.builds(
    lambda place, round, account, log_prob: replace(
        query(place, round=round, account=account), a=response("aaa", log_prob=log_prob)
    ),
    st.integers(0, 1),
    st.integers(0, 1),
    st.sampled_from(ACCOUNTS),
    numbers,
)


def timeless(answer: Any) -> Any:
    """An answer without the times of its labels, corrections and rounds."""
    if isinstance(answer, Label):
        return replace(answer, time="", before=timeless(answer.before))
    if isinstance(answer, Correction | RoundRecord):
        return replace(answer, time="")
    return tuple(map(timeless, answer)) if isinstance(answer, tuple) else answer


class TwoLedgers(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.disk: Ledger = self.opened()
        self.memory: Ledger = MemoryLedger()

    def opened(self) -> SqlLedger:
        return SqlLedger(Path(self.folder.name) / "ledger.sqlite")

    def both(self, call: Callable[[Ledger], Any]) -> None:
        """Both give the same answer, or the same error."""
        told = []
        for ledger in (self.disk, self.memory):
            try:
                told.append(timeless(call(ledger)))
            except BoldlyError as error:
                told.append((type(error), str(error)))
        assert told[0] == told[1]

    @rule()
    def reopen(self) -> None:
        self.disk.close()
        self.disk = self.opened()

    @rule(queries=st.lists(asked, max_size=4))
    def ask(self, queries: list[Query]) -> None:
        self.both(lambda ledger: ledger.ask(queries))

    @rule(one=asked, bound=prices, budget=budgets, holder=holders, metered=st.booleans())
    def reserve(self, one: Query, bound: float, budget: Budget, holder: str, metered: bool) -> None:
        self.both(lambda ledger: ledger.reserve(one.id, bound=bound, budget=budget, holder=holder, metered=metered))

    @rule(
        attempt=st.integers(0, 5),
        verdict=verdicts,
        price=prices,
        source=st.sampled_from(["judge", "é"]),
        provenance=st.sampled_from(["bought", "recorded", "self_made"]),
        facts=said,
    )
    def tell(self, attempt: int, verdict: Any, price: float, source: str, provenance: Any, facts: Any) -> None:
        self.both(
            lambda ledger: ledger.tell(attempt, verdict, source=source, price=price, provenance=provenance, facts=facts)
        )

    @rule(one=asked, key=keys, bound=prices)
    def send(self, one: Query, key: str, bound: float) -> None:
        self.both(lambda ledger: ledger.send(one.id, key=key, bound=bound))

    @rule(one=asked, key=keys, price=prices, answer=st.one_of(st.none(), said))
    def call(self, one: Query, key: str, price: float, answer: Any) -> None:
        def call(ledger: Ledger) -> None:
            ledger.ask([one])
            ledger.reserve(one.id, bound=0.25, budget=Budget(None), metered=True)
            ledger.receive(ledger.send(one.id, key=key, bound=0.25), price=price, answer=answer, reason="é")

        self.both(call)

    @rule(one=asked, verdict=verdicts, source=st.sampled_from(["anna", "é"]), facts=said)
    def correct(self, one: Query, verdict: Any, source: str, facts: Any) -> None:
        self.both(lambda ledger: ledger.correct(one.id, verdict, source=source, facts=facts))

    @rule(number=st.integers(0, 2), policy=st.sampled_from(["base", "é"]))
    def record_round(self, number: int, policy: str) -> None:
        self.both(lambda ledger: ledger.record_round(number, policy=policy, reference="base"))

    @rule(one=asked, verdict=verdicts)
    def buy(self, one: Query, verdict: Any) -> None:
        def call(ledger: Ledger) -> Label | None:
            ledger.ask([one])
            attempt = ledger.reserve(one.id, bound=0.1, budget=Budget(None))
            return ledger.tell(attempt.id, verdict, source="judge", price=0.1)

        self.both(call)

    @rule(holder=holders)
    def abandon(self, holder: str) -> None:
        self.both(lambda ledger: ledger.abandon(holder))

    @rule(
        policy=st.sampled_from(["iterate-0", "iterate-1"]),
        values=st.dictionaries(st.tuples(st.sampled_from("pq"), st.sampled_from("rs")), numbers, max_size=3),
    )
    def record_log_probs(self, policy: str, values: dict[tuple[str, str], float]) -> None:
        self.both(lambda ledger: ledger.record_log_probs(policy, values))
        self.both(lambda ledger: ledger.log_probs(policy))

    @rule(round=st.integers(0, 2), labels=st.lists(st.integers(0, 9)), taken=st.booleans())
    def record_steps(self, round: int, labels: list[int], taken: bool) -> None:
        steps = [Step(round, number, tuple(labels), taken, "" if taken else "loss") for number in range(2)]
        self.both(lambda ledger: ledger.record_steps(steps))

    @rule(number=st.integers(0, 3), labels=st.integers(0, 9))
    def record_iterate(self, number: int, labels: int) -> None:
        facts = {"loss": labels / 3}
        self.both(lambda ledger: ledger.record_iterate(number, name=f"it-{number}", labels=labels, facts=facts))

    @invariant()
    def same(self) -> None:
        for account in ACCOUNTS:
            self.both(lambda ledger, account=account: ledger.labels(account))
            self.both(lambda ledger, account=account: ledger.spent(account))
            for round in (0, 1):
                self.both(lambda ledger, account=account, round=round: ledger.queries(round, account))
                self.both(lambda ledger, account=account, round=round: ledger.waiting(round, account))
        for key in ("k", "l"):
            self.both(lambda ledger, key=key: ledger.recall(key))
        self.both(lambda ledger: ledger.corrections())
        self.both(lambda ledger: ledger.rounds())
        self.both(lambda ledger: ledger.steps())
        self.both(lambda ledger: ledger.iterates())

    def teardown(self) -> None:
        self.disk.close()
        self.folder.cleanup()


@pytest.mark.slow
def test_the_ledger_on_disk_is_the_one_in_memory(monkeypatch: pytest.MonkeyPatch):
    def not_synced(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    monkeypatch.setattr(
        file, "make_durable", not_synced
    )  # nothing is killed here, and thousands of commits take a while
    machine = TwoLedgers.TestCase()
    machine.settings = settings(max_examples=8, stateful_step_count=20, phases=[Phase.generate])
    machine.runTest()

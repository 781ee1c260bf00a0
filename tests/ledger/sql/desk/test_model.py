"""Case 23: whatever people do in whatever order, the desk does what a plain model of it says.

Three people at two desks on one ledger (two processes, as far as either can see), whose leases run by one clock. After
every step the labels, the money and the choices of the ledger are those of the model; at the end every rule of
`boldly verify` holds. Nothing in the model reads the ledger: it knows what was said, and by whom.
"""

import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.desk import Annotator, Desk, Lease, Rules
from boldly.ledger.sql.verify import audit
from boldly.testing import query
from tests.ledger.sql.desk.model import PRICE, SECONDS, VERDICTS, Model, Pair
from tests.ledger.sql.desk.small import Hand

PEOPLE = ("Ann", "Ben", "Eve")


@cache
def empty() -> Path:
    """A ledger without queries, made once."""
    path = Path(tempfile.mkdtemp()) / "ledger.sqlite"
    SqlLedger(path, exclusive=False).close()
    return path


class Machine(RuleBasedStateMachine):
    """Steps of three people, and of the time between them."""

    overlap = 1
    leases = Bundle("leases")
    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "ledger.sqlite"
        shutil.copy(empty(), self.path)
        self.hand = Hand()
        self.ledgers = [SqlLedger(self.path, exclusive=False) for _ in range(2)]
        for ledger in self.ledgers:
            ledger._database._raw.execute("PRAGMA synchronous = OFF")
        self.asked: dict[str, Any] = {}
        self.count = 0

    @initialize(labels=st.integers(2, 9), money=st.integers(3, 14), queries=st.integers(1, 5))
    def begin(self, labels: int, money: int, queries: int) -> None:
        self.model = Model(self.overlap, labels, float(money))
        self.open_desks()
        self.people: dict[str, Annotator] = {name: self.desks[0].admit(name) for name in PEOPLE}
        self.ask(queries)

    def open_desks(self) -> None:
        budget = Budget(self.model.labels_limit, self.model.money_limit)
        overlap = self.model.overlap
        rules = Rules({"training": budget}, {"training": PRICE}, seed=3, overlap=overlap, lease_seconds=SECONDS)
        self.desks = [Desk(ledger, rules, clock=self.hand) for ledger in self.ledgers]

    def key(self) -> str:
        self.count += 1
        return f"k{self.count}"

    @rule(queries=st.integers(1, 2))
    @precondition(lambda self: len(self.asked) < 8)
    def ask(self, queries: int) -> None:
        new = [query(len(self.asked) + i) for i in range(queries)]
        self.ledgers[1].ask(new)
        self.asked |= {one.id: one for one in new}
        self.model.pairs |= {one.id: Pair() for one in new}

    @rule(target=leases, who=st.sampled_from(PEOPLE), at=st.sampled_from([0, 1]), lost=st.booleans())
    def lease(self, who: str, at: int, lost: bool) -> Any:
        self.model.sweep()
        model, held = self.model, self.model.on_page(who)
        holding = held[1:] if lost else held
        lease = self.desks[at].lease(self.people[who], holding=holding)
        if len(holding) < len(held):
            assert lease is not None
            assert lease.token in held
            return multiple()
        possible = model.available(who) if len(held) < 3 else set[str]()
        if lease is None:
            assert not possible
            return multiple()
        assert lease.query.id in possible
        return self.given(lease, who, SECONDS)

    def given(self, lease: Lease, who: str, seconds: float) -> str:
        assert lease.token not in self.model.pages
        assert lease.expires_in == pytest.approx(seconds)
        self.model.lease(who, lease.query.id, lease.token)
        return lease.token

    @rule(
        target=keys,
        token=leases,
        action=st.sampled_from([*VERDICTS, "a", "b", "skip"]),
        at=st.sampled_from([0, 1]),
    )
    def choose(self, token: str, action: Any, at: int) -> Any:
        """On the page, or from a lease that was used, given back or has expired."""
        who, key = self.model.pages[token].who, self.key()
        expected = self.model.choose(who, token, action)
        said = self.desks[at].choose(self.people[who], token, key=key, action=action)
        assert (said.outcome, said.repeated) == (expected, False)
        return who, token, key, expected

    @rule(target=leases, token=leases, action=st.sampled_from([*VERDICTS]), at=st.sampled_from([0, 1]))
    def turn(self, token: str, action: Any, at: int) -> Any:
        who = self.model.pages[token].who
        expected = self.model.choose(who, token, action)
        held = self.model.on_page(who)
        turn = self.desks[at].turn(self.people[who], token, key=self.key(), action=action, holding=held)
        assert turn.receipt.outcome == expected
        possible = self.model.available(who) if len(held) < 3 else set[str]()
        query = self.model.pages[token].query
        if turn.lease is None:
            assert possible <= {query}
            return multiple()
        assert turn.lease.query.id in possible
        return self.given(turn.lease, who, SECONDS)

    @rule(told=keys, action=st.sampled_from([*VERDICTS]), at=st.sampled_from([0, 1]))
    def tell_again(self, told: tuple[str, str, str, str], action: Any, at: int) -> None:
        """The same key: sent twice, whatever it says and wherever it arrives."""
        self.model.sweep()
        who, token, key, outcome = told
        said = self.desks[at].choose(self.people[who], token, key=key, action=action)
        assert (said.outcome, said.repeated) == (outcome, True)

    @rule(target=leases, who=st.sampled_from(PEOPLE), at=st.sampled_from([0, 1]))
    def undo(self, who: str, at: int) -> Any:
        key = self.key()
        expected = self.model.undo(who)
        lease = self.desks[at].undo(self.people[who], key=key)
        if expected is None:
            assert lease is None
            return multiple()
        assert lease is not None
        assert (lease.query.id, lease.was) == (expected.query, expected.action)
        assert self.desks[1 - at].undo(self.people[who], key=key) == lease
        return self.given(lease, who, SECONDS)

    @rule(seconds=st.sampled_from([1.0, 40.0, 99.0, 100.0, 1e6]))
    def wait(self, seconds: float) -> None:
        self.hand.seconds += seconds
        self.model.now += seconds

    @rule(token=leases, at=st.sampled_from([0, 1]))
    def beat(self, token: str, at: int) -> None:
        self.model.sweep()
        page, alive = self.model.pages[token], self.model.alive(token)
        assert self.desks[at].beat(self.people[page.who], [token]) == (() if alive else (token,))
        if alive:
            page.expires = self.model.now + SECONDS

    @rule(token=leases, at=st.sampled_from([0, 1]))
    def release(self, token: str, at: int) -> None:
        self.model.sweep()
        page = self.model.pages[token]
        self.desks[at].release(self.people[page.who], [token])
        page.standing = False

    @rule(labels=st.integers(0, 9), money=st.integers(0, 14))
    def restart(self, labels: int, money: int) -> None:
        """With another budget, perhaps lower than what is spent (case 27)."""
        self.model.labels_limit, self.model.money_limit = labels, float(money)
        self.open_desks()

    @invariant()
    def nothing_is_lost_or_counted_twice(self) -> None:
        if not self.asked:
            return
        model, ledger = self.model, self.ledgers[0]
        told = {label.query.id: label for label in ledger.labels()}
        assert {*told} == {query for query, pair in model.pairs.items() if pair.told}
        for asked, label in told.items():
            assert (label.verdict, label.corrected) == (model.verdict(asked), model.pairs[asked].corrected)
        spent = ledger.spent()
        assert (spent.labels, spent.surplus, spent.open) == (model.labels, model.surplus, len(model.open))
        assert spent.money == model.money + sum(model.open.values())
        stored = [(one.annotator, one.query, one.outcome) for one in self.desks[0].choices()]
        assert stored == [(event.who, event.query, event.outcome) for event in model.events]

    @invariant()
    def no_pair_is_on_more_pages_than_it_may(self) -> None:
        if not self.asked:
            return
        for asked in self.model.pairs:
            holders = [self.model.pages[token].who for token in self.model.on_page(query=asked)]
            assert len(holders) == len({*holders}) <= self.overlap

    @invariant()
    def everybody_sees_what_they_hold(self) -> None:
        if not self.asked:
            return
        for name, annotator in self.people.items():
            tokens = [*self.model.pages]
            held = self.desks[1].held(annotator, tokens)
            assert [lease.token for lease in held] == [token for token in tokens if token in self.model.on_page(name)]

    def teardown(self) -> None:
        for ledger in self.ledgers:
            ledger.close()
        found = audit(self.path)
        self.folder.cleanup()
        assert found.ok, found.violations


class TwoMachine(Machine):
    """Two people make a label."""

    overlap = 2


class ChangingMachine(Machine):
    """A copy of a run may go on with another number of people for a label, whatever waits for votes."""

    overlap = 3

    @rule(overlap=st.sampled_from([1, 2, 3]))
    def fork(self, overlap: int) -> None:
        self.model.overlap = overlap
        self.open_desks()


STEPS = settings(
    max_examples=int(os.environ.get("DESK_EXAMPLES", "12")),
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow],
)

TestOne = Machine.TestCase
TestOne.settings = STEPS
TestTwo = TwoMachine.TestCase
TestTwo.settings = STEPS
TestChanging = ChangingMachine.TestCase
TestChanging.settings = STEPS

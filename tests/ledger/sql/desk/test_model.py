"""Case 23: whatever people do in whatever order, the desk does what a plain model of it says.

Three people at two desks on one ledger (two processes, as far as either can see), whose leases run by one clock. After
every step the labels, the money and the choices of the ledger are those of the model; at the end every rule of
`boldly verify` holds. Nothing in the model reads the ledger: it knows what was said, and by whom.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
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
from boldly.types import Abstention, BothBad, Preference, Tie, Verdict
from tests.ledger.sql.desk.small import Hand

PEOPLE, PRICE, SECONDS = ("Ann", "Ben", "Eve"), 1.0, 100.0
VERDICTS: dict[str, Verdict] = {
    "a": Preference(1.0),
    "b": Preference(0.0),
    "tie": Tie(),
    "both_bad": BothBad(),
    "skip": Abstention(),
}


@cache
def empty() -> Path:
    """A ledger without queries, made once."""
    path = Path(tempfile.mkdtemp()) / "ledger.sqlite"
    SqlLedger(path, exclusive=False).close()
    return path


@dataclass
class Page:
    """A pair on somebody's page."""

    who: str
    query: str
    expires: float
    standing: bool = True


@dataclass
class Pair:
    """What was said of one query. `told` is whether it has a label."""

    said: dict[str, str] = field(default_factory=dict)
    voted: set[str] = field(default_factory=set)
    paid: set[str] = field(default_factory=set)
    skips: set[str] = field(default_factory=set)
    told: bool = False
    corrected: int = 0
    cost: float = 0.0


@dataclass
class Event:
    who: str
    query: str
    action: str
    outcome: str
    undone: bool = False


@dataclass
class Model:
    """The desk in plain Python: every rule once, nothing quick."""

    overlap: int
    labels_limit: int
    money_limit: float
    now: float = 1000.0
    pairs: dict[str, Pair] = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    labels: int = 0
    money: float = 0.0
    surplus: int = 0
    open: dict[str, float] = field(default_factory=dict)

    def alive(self, token: str) -> bool:
        page = self.pages[token]
        return page.standing and self.now < page.expires

    def on_page(self, who: str | None = None, query: str | None = None) -> list[str]:
        """The tokens that stand, of a person or a query."""
        return [
            token
            for token, page in self.pages.items()
            if self.alive(token) and who in (None, page.who) and query in (None, page.query)
        ]

    def withdrawn(self, query: str) -> bool:
        return self.pairs[query].told and not self.pairs[query].said

    def cost(self, query: str, who: str) -> float | None:
        """What an answer of a person adds to what is spent and reserved; None where nothing."""
        pair = self.pairs[query]
        if pair.told:
            return PRICE if self.withdrawn(query) and who not in pair.paid else None
        return None if pair.voted else PRICE * self.overlap

    def room(self, costs: Sequence[float]) -> bool:
        labels = self.labels + len(self.open) + len(costs)
        return labels <= self.labels_limit and self.money + sum(self.open.values()) + sum(costs) <= self.money_limit

    def admits(self, query: str, who: str) -> bool:
        """Whether there is room for an answer beside all that are on somebody's page."""
        own = self.cost(query, who)
        if own is None:
            return True
        promised = {
            page.query: cost
            for token in self.on_page()
            if (page := self.pages[token]).query != query and (cost := self.cost(page.query, page.who)) is not None
        }
        return self.room([own, *promised.values()])

    def available(self, who: str) -> set[str]:
        """The queries that a person may be given, were they to hold none."""
        return {query for query in self.pairs if self.free(query, who) and self.admits(query, who)}

    def free(self, query: str, who: str) -> bool:
        pair, holders = self.pairs[query], [self.pages[token].who for token in self.on_page(query=query)]
        if pair.told:
            return self.withdrawn(query) and not holders
        if who in pair.said or who in holders or self.ripe(query):
            return False
        return who in pair.voted or len(pair.voted) + len({*holders} - pair.voted) < self.overlap

    def ripe(self, query: str) -> bool:
        """Whether a label waits for nobody: all votes stand, or all were given, and nobody has theirs to give again."""
        pair, holders = self.pairs[query], {self.pages[token].who for token in self.on_page(query=query)}
        if pair.told or len(pair.voted) < self.overlap:
            return False
        return len(pair.said) >= self.overlap or not holders & pair.voted

    def settle(self, query: str) -> None:
        del self.open[query]
        self.money += self.pairs[query].cost
        self.labels += 1
        self.pairs[query].told = True

    def sweep(self) -> None:
        """What the desk does first, whoever comes."""
        for asked, pair in self.pairs.items():
            if self.ripe(asked):
                self.settle(asked)
                pair.corrected += not pair.said

    def lease(self, who: str, query: str, token: str) -> None:
        self.pages[token] = Page(who, query, self.now + SECONDS)

    def choose(self, who: str, token: str, action: str) -> str:
        self.sweep()
        page, alive = self.pages[token], self.alive(token)
        for each in self.on_page(who, page.query):
            self.pages[each].standing = False
        outcome = self._skip(who, page.query, alive) if action == "skip" else self._say(who, page.query, action, alive)
        self.events.append(Event(who, page.query, action, outcome))
        return outcome

    def _say(self, who: str, query: str, action: str, alive: bool) -> str:
        pair = self.pairs[query]
        others = {*pair.said} - {who}
        if who in pair.said and not alive:
            return "kept"
        if who in pair.voted and pair.told and len(others) >= self.overlap:
            return "kept"
        if who in pair.paid:
            return self._instead(query, who, action)
        if not alive and not self.admits(query, who) and not (pair.told and pair.said):
            return "kept"
        if pair.told:
            return self._again(pair, who, action, counts=not others or who in pair.voted, query=query, alive=alive)
        return self._vote(query, who, action, PRICE)

    def _instead(self, query: str, who: str, action: str) -> str:
        """In place of what the same person said before."""
        self._hear(self.pairs[query], who, action)
        if not self.ripe(query):
            return "corrected"
        self.settle(query)
        return "label"

    def _vote(self, query: str, who: str, action: str, price: float) -> str:
        pair = self.pairs[query]
        if query not in self.open:
            bound = PRICE * self.overlap if self.overlap > 1 else price
            if not self.room([bound]):
                return "kept"
            self.open[query] = bound
        pair.cost += min(price, (self.open[query] - pair.cost) / max(1, self.overlap - len(pair.voted)))
        pair.voted.add(who)
        if price:
            pair.paid.add(who)
        pair.said[who] = action
        if not self.ripe(query):
            return "vote"
        self.settle(query)
        return "label"

    def _again(self, pair: Pair, who: str, action: str, *, counts: bool, query: str, alive: bool) -> str:
        """An answer to a query that has a label."""
        if not alive:
            # Beside all that is on a page, whatever this query costs.
            promised = {
                page.query: cost
                for token in self.on_page()
                if (page := self.pages[token]).query != query and (cost := self.cost(page.query, page.who)) is not None
            }
            if not self.room([PRICE, *promised.values()]):
                return "kept"
        if not self.room([PRICE]):
            return self._instead(query, who, action) if who in pair.voted else "kept"
        self.labels += 1
        self.surplus += 1
        self.money += PRICE
        if not counts:
            return "surplus"
        pair.voted.add(who)
        pair.paid.add(who)
        self._hear(pair, who, action)
        return "label"

    def _skip(self, who: str, query: str, alive: bool) -> str:
        pair = self.pairs[query]
        if not alive:
            return "kept"
        active = {event.who for event in self.events} | {self.pages[token].who for token in self.on_page()}
        others = active - {who}
        everybody = self.overlap == 1 and bool(others) and others <= pair.skips
        if who in pair.skips or everybody:
            if self.withdrawn(query):
                self._hear(pair, who, "skip")
                return "corrected"
            if not pair.told and who not in pair.voted and self._vote(query, who, "skip", 0.0) != "kept":
                return "label" if pair.told else "vote"
        pair.skips.add(who)
        return "skipped"

    def _hear(self, pair: Pair, who: str, action: str) -> None:
        pair.said.pop(who, None)
        pair.said[who] = action
        pair.corrected += pair.told

    def undo(self, who: str) -> Event | None:
        """Take back the newest choice that can be, and return it; None where there is none."""
        self.sweep()
        mine = [event for event in self.events if event.who == who and not event.undone]
        mine = [event for event in mine if event.outcome in ("label", "vote", "corrected", "skipped")]
        mine = [event for event in mine if not self._gone(event.query, who, skipped=event.outcome == "skipped")]
        if not mine or len(self.on_page(who)) >= 12:
            return None
        event, pair = mine[-1], self.pairs[mine[-1].query]
        event.undone = True
        if who in pair.said:
            del pair.said[who]
            pair.corrected += pair.told
        if event.action == "skip":
            pair.skips.discard(who)
        for token in self.on_page(who, event.query):
            self.pages[token].standing = False
        self.events.append(Event(who, event.query, "undo", "unskipped" if event.action == "skip" else "undone"))
        return event

    def _gone(self, query: str, who: str, *, skipped: bool) -> bool:
        """Whether others have it, or have answered what was skipped."""
        pair = self.pairs[query]
        others = {self.pages[token].who for token in self.on_page(query=query)} - {who}
        if skipped and pair.told:
            return bool(others) or not self.withdrawn(query)
        return len((others | pair.voted if skipped else others) - {who}) >= self.overlap

    def verdict(self, query: str) -> Verdict:
        """What the label of a query says: the mean of those who prefer, unless most say otherwise."""
        said = [VERDICTS[action] for action in self.pairs[query].said.values()]
        if not said:
            return Abstention()
        if len(said) == 1:
            return said[0]
        preferred = [
            v.probability if isinstance(v, Preference) else 0.5 for v in said if v in (*VERDICTS.values(),)[:3]
        ]
        for other in (BothBad(), Abstention()):
            if 2 * said.count(other) > len(said):
                return other
        if not preferred:
            return BothBad()
        return Tie() if said == [Tie()] * len(said) else Preference(sum(preferred) / len(preferred))


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

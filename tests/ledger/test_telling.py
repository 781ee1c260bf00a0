from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from boldly.errors import BudgetSpent, StorageError
from boldly.ledger import Budget, Ledger, MemoryLedger
from boldly.ledger.sql import SqlLedger
from boldly.ledger.telling import HOLDER, Said, asked, tell, waiting
from boldly.testing.build import query
from boldly.types import Abstention, Preference, Query, Tie

A, B = Preference(1.0), Preference(0.0)
NO_LIMIT = Budget(None)


@pytest.fixture(params=["memory", "sqlite"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    with closing(MemoryLedger() if request.param == "memory" else SqlLedger(tmp_path / "ledger.sqlite")) as made:
        yield made


def asks(ledger: Ledger, count: int = 1) -> list[Query]:
    queries = [query(place) for place in range(count)]
    ledger.ask(queries)
    return queries


def test_a_verdict_becomes_the_label_with_all_that_is_known_of_it(ledger: Ledger):
    (one,) = asks(ledger)
    said = Said(Preference(0.75), "ann", order="ba", seconds=12.5, note="close")
    assert tell(ledger, one, said, budget=NO_LIMIT, price=0.4) == "stored"
    (label,) = ledger.labels()
    assert (label.verdict, label.source, label.price, label.provenance) == (
        Preference(0.75),
        "people:ann",
        0.4,
        "bought",
    )
    assert dict(label.facts) == {"annotator": "ann", "order": "ba", "seconds": 12.5, "note": "close"}
    assert ledger.spent().money == 0.4
    assert ledger.spent().open == 0


def test_the_same_again_changes_nothing(ledger: Ledger):
    (one,) = asks(ledger)
    for outcome in ("stored", "unchanged", "unchanged"):
        assert tell(ledger, one, Said(A, "ann"), budget=NO_LIMIT, price=1.0) == outcome
    assert (ledger.spent().labels, ledger.spent().money, ledger.attempts(one.id)) == (1, 1.0, 1)


def test_another_verdict_is_surplus_and_kept_once(ledger: Ledger):
    (one,) = asks(ledger)
    told = [Said(A, "ann"), Said(B, "ben"), Said(B, "ben"), Said(Tie(), "ann"), Said(A, "ann"), Said(A)]
    outcomes = [tell(ledger, one, said, budget=NO_LIMIT, price=1.0) for said in told]
    assert outcomes == ["stored", "surplus", "unchanged", "surplus", "unchanged", "surplus"]
    assert [label.source for label in ledger.labels()] == ["people:ann"]
    assert (ledger.spent().labels, ledger.spent().surplus, ledger.spent().money) == (4, 3, 4.0)


def test_an_abstention_is_a_label(ledger: Ledger):
    (one,) = asks(ledger)
    assert tell(ledger, one, Said(Abstention()), budget=NO_LIMIT, price=0.0) == "stored"
    assert ledger.labels()[0].source == "people"


def test_the_budget_stops_before_the_label_that_would_overshoot(ledger: Ledger):
    one, two = asks(ledger, 2)
    assert tell(ledger, one, Said(A), budget=Budget(1), price=0.0) == "stored"
    with pytest.raises(BudgetSpent):
        tell(ledger, two, Said(A), budget=Budget(1), price=0.0)
    with pytest.raises(BudgetSpent):
        tell(ledger, two, Said(A), budget=Budget(None, 0.5), price=1.0)
    assert ledger.spent().labels == 1
    assert tell(ledger, two, Said(A), budget=Budget(2), price=0.0) == "stored"


def test_every_query_is_found_in_its_account_and_round(ledger: Ledger):
    queries = [query(0), query(1, round=1), query(2, round=2, account="evaluation"), query(3, account="consistency")]
    ledger.ask(queries)
    ledger.record_round(1, policy="p", reference="r")
    ledger.record_iterate(2, name="iterate-2", labels=0, facts={})
    assert list(asked(ledger)) == queries
    tell(ledger, queries[1], Said(A), budget=NO_LIMIT, price=0.0)
    assert list(waiting(ledger)) == [queries[0], *queries[2:]]


class Dying:
    """The ledger of a process that dies at one of its writes, before or after it is durable."""

    def __init__(self, ledger: Ledger, dies_at: str, *, after: bool) -> None:
        self._ledger, self._dies_at, self._after = ledger, dies_at, after

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._ledger, name)

        def call(*arguments: Any, **named: Any) -> Any:
            if name != self._dies_at:
                return method(*arguments, **named)
            if self._after:
                method(*arguments, **named)
            raise StorageError("dead")

        return call


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("dies_at", ["reserve", "send", "receive", "tell"])
def test_a_verdict_whose_telling_broke_off_is_told_again(ledger: Ledger, dies_at: str, after: bool):
    """It is stored once, and paid twice at most where nobody can know whether it had been."""
    (one,) = asks(ledger)
    with pytest.raises(StorageError):
        tell(cast(Ledger, Dying(ledger, dies_at, after=after)), one, Said(A, "ann"), budget=NO_LIMIT, price=1.0)
    ledger.abandon(HOLDER)
    again = tell(ledger, one, Said(A, "ann"), budget=NO_LIMIT, price=1.0)
    assert again == ("unchanged" if (dies_at, after) == ("tell", True) else "stored")
    assert [label.verdict for label in ledger.labels()] == [A]
    unknown_call = (dies_at, after) in (("send", True), ("receive", False))
    assert ledger.spent().money == (2.0 if unknown_call else 1.0)
    assert (ledger.spent().labels, ledger.spent().surplus, ledger.spent().open) == (1, 0, 0)

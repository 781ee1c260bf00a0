"""The audit follows rounds that overlap: people answer the next round while the policy learns from this one."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from boldly.ledger import Budget, Step
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.verify import audit
from boldly.ledger.sql.verify.learning import _Told
from boldly.testing import query
from boldly.types import Abstention, Tie


class Run:
    """A run of rounds of two queries: what is asked, answered and learned, in the order in which it happens."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger = SqlLedger(path)

    def ask(self, round: int) -> None:
        self.ledger.record_round(round, policy=f"iterate-{max(round - 1, 0)}", reference="base")
        self.ledger.ask([query(place, round=round) for place in range(2)])

    def answer(self, round: int, place: int) -> None:
        attempt = self.ledger.reserve(query(place, round=round).id, bound=0.0, budget=Budget(None))
        self.ledger.tell(attempt.id, Tie(), source="people:anna", price=0.0)

    def fit(self, round: int, *batches: Sequence[int], labels: int) -> None:
        self.ledger.record_steps([Step(round, number, tuple(batch)) for number, batch in enumerate(batches)])
        self.ledger.record_iterate(round + 1, name=f"iterate-{round + 1}", labels=labels, facts={})

    def found(self) -> list[str]:
        self.ledger.close()
        return [f"{fault.key}: {fault.what}" for each in audit(self.path).violations for fault in each.shown]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Labels 0 to 5 are of rounds 0, 1, 0, 1, 2, 2."""
    made = Run(tmp_path / "ledger.sqlite")
    made.ask(0)
    made.ask(1)
    made.answer(0, 0)
    made.answer(1, 0)  # while round 0 waits for its second answer
    made.answer(0, 1)
    made.ask(2)
    made.answer(1, 1)
    made.answer(2, 0)
    made.answer(2, 1)
    return made


def test_a_round_learns_from_its_own_labels_while_the_next_is_answered(run: Run):
    run.fit(0, [0, 2], [2], labels=2)
    run.fit(1, [0, 1, 2, 3], labels=4)
    run.fit(2, [4, 5], [0], labels=6)
    assert run.found() == []


def test_a_label_of_a_round_may_come_after_the_round_was_learned_from(run: Run):
    """Round 0 was learned from when one of its two answers was there, and round 1 before its second one."""
    run.fit(0, [0], labels=1)
    run.fit(1, [0, 1, 2], labels=3)
    run.fit(2, [2, 3, 5], labels=6)
    assert run.found() == []


def test_nothing_may_have_been_told_between_two_iterates(run: Run):
    run.fit(0, [0], labels=1)
    run.fit(1, [0], labels=1)
    run.fit(2, [0], labels=2)
    assert run.found() == []


SPOILT: dict[str, tuple[Callable[[Run], None], str]] = {
    "a step names a label of the next round": (
        lambda run: run.fit(0, [0, 1], labels=2),
        "0, 0: it names label 1, of round 1",
    ),
    "a step names a label that came after its iterate": (
        lambda run: run.fit(0, [0, 2], labels=1),
        "0, 0: it names label 2, told after its iterate was kept",
    ),
    "an iterate counts labels of the next round": (
        lambda run: run.fit(0, [0], labels=3),
        "1: it counts 3 labels, and there are 2 of the rounds before 1",
    ),
    "an iterate counts fewer labels than had been told": (
        lambda run: (run.fit(0, [0], labels=2), run.fit(1, [0], labels=2))[0],
        "2: it counts 2 labels, and 3 were told before the iterate before it",
    ),
    "an iterate counts less than none": (
        lambda run: run.fit(0, labels=-1),
        "1: it counts -1 labels, and 0 were told before the iterate before it",
    ),
    "an iterate counts labels that there aren't": (
        lambda run: (run.fit(0, [0], labels=1), run.fit(1, labels=3), run.fit(2, labels=7))[0],
        "3: it counts 7 labels, and there are 6 of the rounds before 3",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_no_order_of_things_explains_is_found(name: str, run: Run):
    spoil, expected = SPOILT[name]
    spoil(run)
    assert run.found() == [expected]


def test_what_was_withdrawn_is_a_label_all_the_same(run: Run):
    run.fit(0, [0, 2], labels=2)
    run.ledger.correct(query(0, round=0).id, Abstention(), source="people:anna", facts={"withdrawn": True})
    run.fit(1, [1, 2, 3], labels=4)
    assert run.found() == []


def test_it_goes_where_counting_one_by_one_does():
    """Hundreds of runs at random, with what an iterate counts right, or one off."""
    draw = np.random.default_rng(0)
    for _ in range(300):
        rounds = np.clip(np.sort(draw.integers(0, 6, 12)) + draw.integers(-2, 3, 12), 0, 5).astype(np.int32)
        told, before = _Told(rounds), 0
        for number in range(1, 7):
            end = int(draw.integers(before, 13))
            labels = int((rounds[:end] < number).sum()) + int(draw.integers(-1, 2) * (draw.random() < 0.2))
            sequences = np.flatnonzero(rounds < number)
            least = int((sequences < before).sum())
            wrong = told.until(number, labels)
            assert (wrong is None) == (least <= labels <= len(sequences))
            if wrong is None:
                before = max(before, int(sequences[labels - 1]) + 1 if labels else 0)
                assert told.place == before


def test_labels_that_came_backwards_are_looked_at_once():
    rounds = np.arange(200_000, dtype=np.int32)[::-1].copy() // 64
    told = _Told(rounds)
    assert told.until(1, 64) is None
    assert told.place == len(rounds)
    assert told.until(2, 64) == "it counts 64 labels, and 128 were told before the iterate before it"
    assert told.until(2, 128) is None

"""The history in numbers is the history: row by row what reading every label gives."""

import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from boldly.ledger import Budget, Ledger, MemoryLedger
from boldly.ledger.history import History
from boldly.ledger.sql import SqlLedger, file
from boldly.testing import query
from boldly.types import Abstention, BothBad, Comparison, Label, Preference, Query, Tie, comparisons

VERDICTS = (Preference(1.0), Preference(0.0), Preference(1 / 3), Tie(), BothBad(), Abstention())
Make = Callable[[], Ledger]


@pytest.fixture(params=["memory", "file"])
def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setattr(file, "make_durable", lambda connection, *_: connection.execute("PRAGMA synchronous = OFF"))
    return MemoryLedger if request.param == "memory" else lambda: SqlLedger(tmp_path / "ledger.sqlite")


def known(ledger: Ledger, before: int) -> list[Label]:
    """The training labels of the rounds before a round, in the order of their queries: all of them read, and sorted."""
    labels = (label for label in ledger.labels() if label.query.round < before)
    return sorted(labels, key=lambda label: (label.query.round, label.query.place))


def tell(ledger: Ledger, asked: Query, verdict: object) -> None:
    attempt = ledger.reserve(asked.id, bound=0.0, budget=Budget(None))
    ledger.tell(attempt.id, verdict, source="me", price=0.0)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_all_labels_say_whoever_was_answered_first_and_corrected_since(make: Make, seed: int):
    """Forty labels in any order, some of other accounts, and as many corrections; one follows, one begins anew."""
    draw = random.Random(seed)
    asked = [query(place, round=round) for round in range(5) for place in range(8)]
    others = [query(place, round=place, account="evaluation") for place in range(4)]
    with closing(make()) as ledger:
        ledger.ask([*asked, *others])
        follows = History(ledger)
        waiting, told = draw.sample(asked + others, len(asked + others)), list[Query]()
        while waiting:
            for _ in range(min(draw.randint(1, 9), len(waiting))):
                told.append(waiting.pop())
                tell(ledger, told[-1], draw.choice(VERDICTS))
            for one in draw.choices(told, k=draw.randint(0, 6)):
                ledger.correct(one.id, draw.choice(VERDICTS), source="anna")
            for history in (follows, History(ledger)):
                assert history.corrections() == len(ledger.corrections())
                for before in range(7):
                    expected = comparisons(known(ledger, before))
                    assert history.count(before) == len(known(ledger, before))
                    stored = history.comparisons(before)
                    assert (tuple(stored), len(stored)) == (expected, len(expected))
                    assert stored.sequences == tuple(c.sequence for c in expected)
                    assert stored.before(3) == sum(c.query.round < 3 for c in expected)
                    rows = draw.choices(range(len(expected)), k=5) if expected else []
                    assert stored.at(rows) == tuple(expected[row] for row in rows)


def test_a_long_history_is_read_through_from_its_beginning_to_its_end(make: Make):
    with closing(make()) as ledger:
        asked = [query(place) for place in range(600)]

        def buy() -> None:
            ledger.ask(asked)
            for one in asked:
                tell(ledger, one, Tie())

        ledger.together(buy)
        stored = History(ledger).comparisons(1)
        assert list(stored) == [Comparison(one, 0.5, place) for place, one in enumerate(asked)]
        assert stored.at(range(500, 100, -1)) == tuple(stored)[500:100:-1]


def test_what_was_taken_says_what_it_said_whatever_is_corrected_later(make: Make):
    with closing(make()) as ledger:
        ledger.ask([query(0), query(1)])
        for place in range(2):
            tell(ledger, query(place), Preference(1.0))
        history = History(ledger)
        taken = history.comparisons(1)
        ledger.correct(query(0).id, Preference(0.0), source="anna")
        ledger.correct(query(1).id, Abstention(), source="anna")
        assert [c.label for c in taken] == [1.0, 1.0]
        assert [(c.query, c.label) for c in history.comparisons(1)] == [(query(0), 0.0)]
        assert history.count(1) == 2


class Watched:
    """A ledger that says what was read of it."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.marks_read, self.queries_read = ledger, 0, 0
        self.rounds_read: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.ledger, name)

    def marks(self, *args: object, **options: object) -> object:
        new, extent = self.ledger.marks(*args, **options)  # pyright: ignore[reportArgumentType]
        self.marks_read += len(new)
        return new, extent

    def queries(self, round: int) -> object:
        self.rounds_read.append(round)
        return self.ledger.queries(round)

    def labelled(self, sequences: list[int]) -> object:
        self.queries_read += len(sequences)
        return self.ledger.labelled(sequences)

    def labels(self, *args: object, **options: object) -> object:
        raise AssertionError("a history needs no label with its texts")


def test_the_queries_before_a_round_are_read_once(make: Make):
    with closing(make()) as ledger:
        watched, asked = Watched(ledger), [query(place, round=round) for round in range(4) for place in range(3)]
        history = History(watched)  # pyright: ignore[reportArgumentType]
        for round in range(4):
            ledger.ask(asked[3 * round : 3 * round + 3])
            for before in range(round + 2):
                assert history.asked(before) == tuple(asked[: 3 * before])
        assert watched.rounds_read == [0, 1, 2, 3]


def test_each_label_is_read_once_and_texts_only_of_the_rows_asked_for(make: Make):
    with closing(make()) as ledger:
        watched = Watched(ledger)
        history = History(watched)  # pyright: ignore[reportArgumentType]
        for round in range(6):
            ledger.ask([query(place, round=round) for place in range(5)])
            for place in range(5):
                tell(ledger, query(place, round=round), Tie())
            stored = history.comparisons(round + 1)
            history.count(round)
            history.corrections()
            stored.at([0, len(stored) - 1])
            assert (watched.marks_read, watched.queries_read) == (5 * (round + 1), 2 * (round + 1))
        ledger.correct(query(2).id, BothBad(), source="anna")
        assert history.count(6) == 30
        assert watched.marks_read == 31

"""A PostgreSQL server that is killed and started again, many times, while a run buys labels and trains on them."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from boldly.errors import BudgetSpent
from boldly.ledger import Budget, Step
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.verify import audit
from boldly.oracles import Program, answer
from boldly.testing import query
from boldly.types import Label
from tests.faults.children import PRICE
from tests.support.postgres import HOW_TO_GET_IT, Postgres, binaries

AT_ONCE = 3


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    if binaries() is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_IT)
    server = Postgres.made()
    yield server
    server.remove()


class Restarts:
    """Kills the server again and again, each time at another moment after a further label was bought, and counts."""

    def __init__(self, server: Postgres, times: int) -> None:
        self.count = 0
        self.bought = threading.Event()
        self._server = server
        self._thread = threading.Thread(target=self._restart, args=(times,))
        self._thread.start()

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()

    def _restart(self, times: int) -> None:
        for number in range(times):
            self.bought.clear()
            self.bought.wait()
            time.sleep(0.007 * (number % 10))
            self._server.stop("immediate")
            self._server.start()
            self.count += 1


def judged(prompt, a, b) -> float | None:
    """A preference, or a failure for every fifth prompt: then it is asked again."""
    return None if int(prompt.text.split()[1]) % 5 == 4 else 0.75


def bought(ledger: SqlLedger, round: int, budget: Budget, noticed: Callable[[], object] = bool) -> list[Label]:
    """What one round of a run does to its ledger; the labels as they were acknowledged."""
    ledger.record_round(round, policy=f"iterate-{round}", reference="iterate-0")
    ledger.ask([query(AT_ONCE * round + place, round=round) for place in range(AT_ONCE)])
    labels: list[Label] = []
    for label in answer(ledger, Program(judged, price=PRICE), ledger.waiting(round), budget=budget, attempts=2):
        labels.append(label)
        noticed()
    ledger.record_steps([Step(round, 0, tuple(label.sequence for label in labels))])
    ledger.record_iterate(round + 1, name=f"iterate-{round + 1}", labels=len(ledger.labels()), facts={})
    return labels


@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_server_killed_again_and_again_loses_nothing_and_sells_nothing_twice(postgres: Postgres, times: int):
    url, acknowledged, rounds = postgres.url(f"chaos_{times}"), list[Label](), 0
    free = Budget(labels=None)
    with closing(SqlLedger(url)) as ledger:
        restarts = Restarts(postgres, times)
        while not restarts.over:
            acknowledged.extend(bought(ledger, rounds, free, restarts.bought.set))
            rounds += 1
        assert restarts.count == times
        spent, budget = ledger.spent(), Budget(labels=len(acknowledged) + 1)
        with pytest.raises(BudgetSpent):
            bought(ledger, rounds, budget)
        assert ledger.spent().labels == budget.labels
    with closing(SqlLedger(url)) as ledger:
        labels = ledger.labels()
        assert labels[: len(acknowledged)] == tuple(acknowledged)
        assert [label.sequence for label in labels] == [*range(len(labels))]
        assert len({label.query.id for label in labels}) == len(labels)
        attempts = sum(ledger.attempts(asked.id) for round in range(rounds) for asked in ledger.queries(round))
        assert attempts == spent.labels + spent.failed
        assert (spent.labels, spent.unknown, spent.surplus, spent.open) == (len(acknowledged), 0, 0, 0)
        assert spent.money == PRICE * attempts
        assert [step.labels for step in ledger.steps()[:rounds]] == [
            tuple(label.sequence for label in acknowledged if label.query.round == round) for round in range(rounds)
        ]
        assert len(ledger.rounds()) == rounds + 1
        assert ledger.abandon() == 0
    assert audit(url).violations == ()

"""Eight processes write to one ledger at once: all succeed, no update is lost, and the budget is never overshot."""

import itertools
import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from boldly.ledger import Spent
from boldly.ledger.sql import SqlLedger

WRITERS = Path(__file__).with_name("writers.py")
PROCESSES, LABELS = 8, 40


@pytest.mark.slow
@pytest.mark.parametrize("place", ["path", "url"])
def test_writers_at_once_lose_nothing_and_never_overshoot(request: pytest.FixtureRequest, tmp_path: Path, place: str):
    """The children make the tables themselves, so they meet there, too."""
    location = str(tmp_path / "ledger.sqlite") if place == "path" else request.getfixturevalue("url")
    command = [sys.executable, str(WRITERS), location, str(PROCESSES), str(LABELS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told) == PROCESSES
    acknowledged = list(itertools.chain(*told))
    with closing(SqlLedger(location, read_only=True)) as ledger:
        labels, spent = ledger.labels(), ledger.spent()
        stored = {(label.sequence, label.query.id) for label in labels}
        assert {(sequence, query_id) for sequence, query_id, _ in acknowledged} <= stored
        assert len({attempt for *_, attempt in acknowledged}) == len(acknowledged) == spent.labels == LABELS
        assert [label.sequence for label in labels] == list(range(len(labels)))
        assert len({label.query.id for label in labels}) == len(labels)
        assert spent == Spent(
            labels=LABELS, ties=LABELS, surplus=LABELS - len(labels), failed=spent.failed, money=LABELS * 0.1
        )
        assert spent.surplus >= PROCESSES - 1
        rounds = [ledger.queries(round) for round in range(200)]
        assert sum(ledger.attempts(one.id) for one in itertools.chain(*rounds)) == LABELS + spent.failed
        wrote = {writer for _, writer in ledger.log_probs("base")} - {"r"}
        assert len(ledger.log_probs("base")) == len(wrote) + 1 > 1

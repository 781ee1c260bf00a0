import shutil
from pathlib import Path

import pytest

from boldly.errors import StorageError
from boldly.ledger import Budget, MemoryLedger
from boldly.metrics import OUTCOMES
from boldly.report import load
from boldly.report.data import rounds_of
from boldly.types import Abstention, Preference, Prompt, Query, Response, Tie
from tests.report.fakes import Story, write_run


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "xpo-seed0", Story(labels=48))


@pytest.fixture
def run(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "run"))


def test_a_run_is_read_whole(run: Path):
    data = load(run)
    assert (data.name, data.recipe, data.setting("objective.alpha"), data.floor) == ("run", "xpo", 0.001, 20.0)
    assert [record.labels for record in data.records] == [0, 16, 32, 48]
    assert [dict(one.bought) for one in data.rounds] == [
        dict(zip(OUTCOMES, (14, 2, 0, 0, 1, 0), strict=True)) for _ in range(3)
    ]
    assert (data.training.labels, data.training.failed) == (48, 3)
    assert data.training.money == pytest.approx(0.51)
    assert len(data.samples) == 12
    assert data.result is not None


def test_a_run_that_goes_on_is_read_too(run: Path):
    for name in ("result.json", "samples.jsonl", "metrics.jsonl", "ledger.sqlite"):
        (run / name).unlink()
        load(run)
    data = load(run)
    assert (data.result, data.records, data.rounds, data.training.labels) == (None, (), (), 0)


def test_a_directory_without_a_run_is_refused(tmp_path: Path):
    with pytest.raises(StorageError, match="holds no run"):
        load(tmp_path)
    with pytest.raises(StorageError, match="holds no run"):
        load(tmp_path / "gone")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", b"a: [1"),
        ("config.yaml", b"just text"),
        ("config.yaml", b"\xff\xfe"),
        ("metrics.jsonl", b"{}\n"),
        ("samples.jsonl", b"[1]\n"),
        ("result.json", b"{"),
        ("ledger.sqlite", b"not a database at all" * 100),
    ],
)
def test_a_broken_file_is_named(run: Path, name: str, content: bytes):
    (run / name).write_bytes(content)
    with pytest.raises(StorageError, match=name):
        load(run)


def test_what_the_policy_foresaw_is_counted_where_it_can_be():
    """Five labels of round 1: foreseen, not foreseen, a tie, an abstention, and one without log-probabilities."""
    ledger = MemoryLedger()
    own = [Response(f"own {i}", (i,), "iterate-1", -2.0, -2.0) for i in range(5)]
    base = [Response(f"base {i}", (9, i), "iterate-0", -3.0, -3.0) for i in range(5)]
    queries = [Query(Prompt(f"p{i}"), own[i], base[i], round=1, place=i) for i in range(5)]
    first = Query(Prompt("q"), own[0], base[0], round=0, place=0)
    ledger.ask([first, *queries])
    verdicts = [Tie(), Preference(1.0), Preference(0.2), Tie(), Abstention(), Preference(1.0)]
    for query, verdict in zip([first, *queries], verdicts, strict=True):
        attempt = ledger.reserve(query.id, bound=0.0, budget=Budget(10))
        ledger.tell(attempt.id, verdict, source="s", price=0.0)
    ledger.record_log_probs("iterate-0", {(q.prompt.id, q.a.id): -5.0 for q in queries[:4]})
    ledger.record_log_probs("iterate-1", {(q.prompt.id, q.b.id): -4.0 for q in queries})
    for number in range(3):
        ledger.record_iterate(number, name=f"iterate-{number}", labels=0, facts={"reference": "iterate-0"})
    found = rounds_of(ledger, {1: 2})
    assert [(one.predicted, one.predictable) for one in found] == [(0, 0), (1, 2)]
    assert [tuple(one.bought.values()) for one in found] == [(0, 1, 0, 0, 0, 0), (3, 1, 0, 1, 2, 0)]

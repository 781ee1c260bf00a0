from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from boldly.config.reading import read_config
from boldly.config.saving import dump
from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.metrics import append
from boldly.progress import Evaluation, Interval, Record
from boldly.types import Failure, Preference, Prompt, Query, Response, Tie


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def response(text: str) -> Response:
    return Response(text, tuple(text.encode()), "iterate-0", -1.0, -1.0)


def evaluation(reward: float) -> Evaluation:
    about = Interval(reward, reward - 0.1, reward + 0.1, 32)
    return Evaluation(
        reward=about,
        win_rate=about,
        kl_policy=Interval(1.5, 1.0, 2.0, 32),
        kl_reference=Interval(2.5, 2.0, 3.0, 32),
        reference_mass=0.5,
        largest_log_ratio=3.0,
        length=Interval(9.0, 8.0, 10.0, 32),
        distinct=0.9,
        truncated=0.25,
        kinds={"lazy": 0.5},
    )


@pytest.fixture
def a_run(tmp_path: Path) -> Callable[[str], Path]:
    """Makes the files of a run that was stopped after three labels and one failure, with two iterates."""

    def make(name: str) -> Path:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        config = read_config(flags={"recipe": "xpo", "output": str(folder), "budget": "64"})
        (folder / "config.yaml").write_text(dump(config), encoding="utf-8")
        with closing(SqlLedger(folder / "ledger.sqlite")) as ledger:
            queries = [Query(Prompt(f"p{i}"), response("good"), response(f"bad {i}"), 0, i) for i in range(4)]
            ledger.ask(queries)
            for query, verdict in zip(queries, (Preference(1.0), Tie(), Failure("late"), Preference(0.0)), strict=True):
                attempt = ledger.reserve(query.id, bound=0.5, budget=Budget(64))
                ledger.tell(attempt.id, verdict, source="test", price=0.5)
        for iterate, reward in enumerate((0.1, 0.4)):
            append(
                folder / "metrics.jsonl", Record(iterate, 3 * iterate, evaluation(reward), seconds={"learning": 1.0})
            )
        return folder

    return make

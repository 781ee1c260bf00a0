"""A run of people: they label the next round while one is learned, and what they have not judged is waited for last."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import boldly
from boldly.config.live import live_state
from boldly.config.reading import read_config
from boldly.data.task import reward
from boldly.errors import WaitingForLabels
from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.verify import audit
from boldly.metrics import read
from boldly.oracles import Program, answer
from boldly.progress import Progress
from boldly.runner import RunDirectory, execute, waiting

KEYS: dict[str, Any] = {
    "recipe": "xpo",
    "budget": 10,
    "schedule": {"labels_per_round": 4},
    "evaluation": {"prompts": 8, "labels": 9},
    "generation": {"max_tokens": 8},
    "learner": {"name": "preference", "steps": 2, "batch": 4},
}
ORACLE = Program(reward)


def tell(run: Path, account: Any, count: int = 100, *, last_first: bool = False):
    """Answer what waits in an account, beside whoever holds the run."""
    with closing(SqlLedger(run / "ledger.sqlite", exclusive=False)) as ledger:
        wanted = [query for t in range(10) for query in ledger.waiting(t, account)]
        asked = (wanted[::-1] if last_first else wanted)[:count]
        labels = list(answer(ledger, ORACLE, asked, budget=Budget(100))) if asked else []
        return len(labels), len(wanted) - len(labels)


def weights(run: Path):
    return [load_file(path) for path in sorted((run / "iterates").glob("*/model.safetensors"))]


def verdicts(run: Path):
    with closing(SqlLedger(run / "ledger.sqlite", read_only=True)) as ledger:
        return {label.query.id: label.verdict for label in ledger.labels()}


def asked(run: Path, t: int):
    with closing(SqlLedger(run / "ledger.sqlite", read_only=True)) as ledger:
        return len(ledger.queries(t))


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory):
    """The same run by an oracle that answers at once."""
    root = tmp_path_factory.mktemp("called") / "run"
    schedule = KEYS["schedule"] | {"ahead": 1}
    boldly.run(**KEYS | {"schedule": schedule}, oracle=ORACLE, output=str(root))
    return root


def test_people_who_answer_the_round_ahead_first_teach_the_same_and_judge_last(
    called: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """They answer when the run naps: five of what waits, the newest first, and held-out answers when all is done."""
    root, seen, ahead, judged = tmp_path / "run", set[str](), list[int](), list[list[bool]]()
    config = read_config(arguments=KEYS | {"oracle": "people", "output": str(root)})

    def observe(progress: Progress) -> None:
        state = live_state(root)
        assert state != "stopped" or progress.phase == "starting"
        seen.add(state)
        if progress.phase == "learning":
            ahead.append(asked(root, progress.round + 1))

    def nap(seconds: float) -> None:
        if not tell(root, "training", 5, last_first=True)[0]:
            judged.append([bool(r.evaluation and r.evaluation.win_rate) for r in read(RunDirectory(root).metrics)])
            tell(root, "evaluation", 4, last_first=True)

    monkeypatch.setattr(waiting.time, "sleep", nap)
    result = execute(config, observe=observe, wait=True)
    assert {"sampling", "labelling", "learning", "evaluating"} <= seen
    assert ahead == [4, 2, 0]
    assert judged[0] == [False] * 4
    assert len(judged) > 1
    assert result.chosen_by == "win_rate"
    records = read(RunDirectory(root).metrics)
    assert [(record.iterate, record.labels) for record in records] == [(0, 0), (1, 4), (2, 8), (3, 10)]
    assert all(record.evaluation and record.evaluation.win_rate for record in records[1:])
    assert verdicts(root) == verdicts(called)
    for first, second in zip(weights(root), weights(called), strict=True):
        assert all(torch.equal(first[name], second[name]) for name in first)
    assert live_state(root) == "ended"
    assert audit(root / "ledger.sqlite").ok


def test_a_run_that_people_judge_trains_to_its_end_and_takes_their_verdicts_as_they_come(tmp_path: Path):
    """The held-out answers of iterate 1 are judged while round 1 is learned: its record is complete at once."""
    root, told = tmp_path / "run", list[int]()
    keys = KEYS | {"evaluation": KEYS["evaluation"] | {"oracle": "people"}, "output": str(root)}

    def observe(progress: Progress) -> None:
        if progress.phase == "learning" and progress.round == 1 and not told:
            told.append(tell(root, "evaluation")[0])

    with pytest.raises(WaitingForLabels) as caught:
        boldly.run(**keys, oracle=ORACLE, observe=observe)
    assert caught.value.rounds == {(2, "evaluation"), (3, "evaluation")}
    assert live_state(root) == "stopped"
    assert told[0] > 0
    rates = [record.evaluation and record.evaluation.win_rate for record in read(RunDirectory(root).metrics)]
    assert [rate is not None for rate in rates] == [False, True, False, False]
    kept = list[tuple[str, int]]()
    tell(root, "evaluation")

    def see(progress: Progress) -> None:
        if progress.record is not None:
            kept.append((progress.phase, progress.record.iterate))

    boldly.run(**keys, oracle=ORACLE, observe=see)
    assert kept == [("starting", 0), ("evaluating", 2), ("evaluating", 3)]

"""`boldly label` as a team uses it: three people, their links, their keyboards, and a model that learns from them."""

import json
import random
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from boldly.cli import main
from boldly.ledger.sql import SqlLedger
from boldly.types import Preference
from tests.support.label_command import label
from tests.support.team import answer, opened

NAMES = ("ann", "ben", "cara")
Said = list[tuple[str, str, str]]


def kept(run: Path) -> Said:
    """Of each label: the prompt, the better response and the worse one; both sorted for a tie."""
    with closing(SqlLedger(run / "ledger.sqlite", read_only=True)) as ledger:
        found: Said = []
        for one in ledger.labels():
            answers = [one.query.a.text, one.query.b.text]
            tie = not isinstance(one.verdict, Preference)
            better = sorted(answers) if tie else answers if one.verdict.probability == 1.0 else answers[::-1]
            found.append((one.query.prompt.text, better[0], better[1]))
        return found


def rewards(run: Path) -> list[dict[str, float]]:
    """The held-out reward of each iterate with its interval."""
    return [json.loads(line)["evaluation"]["reward"] for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_three_people_label_stop_and_go_on_and_the_model_gets_better(
    tmp_path: Path, browser: Any, capsys: pytest.CaptureFixture[str]
):
    """Every answer is the label that was pressed, through a Ctrl-C in between; the interval of the last iterate's
    reward lies above that of the base.
    """
    run, draw, said = tmp_path / "team", random.Random(0), []
    for command in (["team", "--share", ",".join(NAMES)], ["team"]):
        with label(*command, folder=tmp_path) as served:
            pages = opened(browser, served.links, NAMES)
            said += [answer(pages[name], 0.0, draw) for _ in range(5) for name in NAMES]
            if len(said) > 15:
                served.until("iterate 5, after 25 labels: held-out reward")
            assert served.stop() == 130
            assert f"{len(said)} of 60 labels are kept" in served.said
            assert all(f"{name} {len(said) // 3}" in served.said for name in NAMES)
    assert sorted(kept(run)) == sorted(said)
    base, *_, last = rewards(run)
    assert last["low"] > base["high"]
    assert main(["verify", str(run)]) == 0
    assert "the ledger holds" in capsys.readouterr().out

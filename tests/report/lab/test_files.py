import json
import math
import os
from functools import partial
from pathlib import Path

import pytest

from boldly.errors import StorageError
from boldly.lab.experiments import Outcome
from boldly.report.lab import require_writable, write
from tests.coins import coins


def read(path: Path) -> dict:
    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_json_gives_back_every_number(tmp_path: Path):
    outcome = coins(seeds=20, rounds=10)
    found = read(write(outcome, tmp_path, seconds=1.5).json)
    assert (found["experiment"], found["question"], found["seconds"]) == ("coins", outcome.question, 1.5)
    assert found["settings"] == {
        "seeds": 20,
        "rounds": 10,
        "betas": [0.5, 0.25],
        "beta": 1.0,
        "side": "heads",
        "limit": None,
    }
    assert [finding["holds"] for finding in found["findings"]] == [True, False, None]
    assert [finding["mark"] for finding in found["findings"]] == ["holds", "does not hold", "measured"]
    for finding, given in zip(found["findings"], outcome.findings, strict=True):
        assert (finding["claim"], finding["verdict"]) == (given.claim, given.verdict)
        for plot, drawn in zip(finding["plots"], given.plots, strict=True):
            assert (plot["id"], plot["log_x"], plot["log_y"]) == (drawn.id, drawn.log_x, drawn.log_y)
            for curve, one in zip(plot["curves"], drawn.curves, strict=True):
                assert curve == {
                    "name": one.name,
                    "x": list(one.x),
                    "middle": list(one.middle),
                    "low": list(one.low),
                    "high": list(one.high),
                }
        for table, grid in zip(finding["tables"], given.tables, strict=True):
            assert table == {"title": grid.title, "columns": list(grid.columns), "rows": [list(r) for r in grid.rows]}
    for score, given in zip(found["scores"], outcome.scores, strict=True):
        assert (score["method"], score["measure"], score["n"]) == (given.method, given.measure, given.n)
        assert [float(score[key]) for key in ("value", "low", "high")] == [given.value, given.low, given.high]
    assert found["scores"][-1]["value"] == "inf"


def test_no_nan_is_written(tmp_path: Path):
    from dataclasses import replace

    from boldly.lab.experiments import Score

    outcome = replace(coins(seeds=20), scores=[Score("a", "b", math.nan, -math.inf, math.inf, 3)])
    (score,) = read(write(outcome, tmp_path).json)["scores"]
    assert (score["value"], score["low"], score["high"]) == ("nan", "-inf", "inf")


def test_what_only_python_can_set_is_named(tmp_path: Path):
    def twice(flips):
        return 2 * flips.cumsum(1)

    assert read(write(coins(seeds=20, methods=[twice]), tmp_path).json)["settings"]["methods"] == ["twice"]


@pytest.mark.parametrize(
    ("name", "file"), [("two-arms", "two-arms"), ("../../etc/x", "etc-x"), ("<b>\n", "b"), ("", "experiment")]
)
def test_a_name_stays_in_its_folder(name: str, file: str, tmp_path: Path):
    written = write(Outcome(name, "t", "q?", [], {}, [], []), tmp_path / "lab")
    assert written.json == tmp_path / "lab" / f"{file}.json"
    assert written.html == tmp_path / "lab" / f"{file}.html"


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        for attempt in (require_writable, partial(write, Outcome("name", "t", "q?", [], {}, [], []))):
            with pytest.raises(StorageError, match="write `--output DIR`"):
                attempt(folder)


def test_a_place_without_permission_is_a_storage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(StorageError, match=f"no permission to write in {tmp_path}"):
        require_writable(tmp_path / "a" / "b")


def test_looking_whether_a_folder_can_be_written_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path, tmp_path / "a" / "b", Path("lab"), Path()):
        require_writable(folder)
    assert list(tmp_path.iterdir()) == []

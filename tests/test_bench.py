"""What the documents say was measured is what the measurements say."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCH = ROOT / "bench"


@pytest.fixture
def labels_to_target(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import labels_to_target as module

    yield module
    for name in ("labels_to_target", "runs"):
        sys.modules.pop(name, None)


def test_the_tables_of_the_readme_are_those_of_the_results(labels_to_target):
    text, measured = (BENCH / "README.md").read_text(), labels_to_target.read()
    for title, rows in labels_to_target.TABLES.items():
        assert f"### {title}\n" in text
        assert labels_to_target.table(rows, measured) in text
        assert {row.name for row in rows} <= set(measured)
        assert all(len(measured[row.name].curves) == row.seeds for row in rows)


def test_the_readmes_figures_are_in_the_results(labels_to_target):
    """The labels to each target of the recipes that the first page shows."""
    measured = labels_to_target.read()
    rows = re.findall(
        r"^\| `([a-z-]+)`.*? \| (.+?) \| (.+?) \| (.+?) \|$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert {name for name, *_ in rows} == {"default", "online-dpo", "passive", "xpo"}
    for name, *cells in rows:
        curves = measured[name].curves.values()
        for cell, target in zip(cells, labels_to_target.TARGETS, strict=True):
            found = labels_to_target.shown([labels_to_target.labels_to(curve, target) for curve in curves])
            assert cell.replace(",", "").split(" [")[0] == found.split(" [")[0]
            assert cell == "never" or cell.replace(",", "") == found.replace(",", "")


def test_reached_means_two_evaluations_in_a_row(labels_to_target):
    curve = [{"labels": n, "reward": r} for n, r in ((0, 0.1), (32, 0.5), (64, 0.3), (96, 0.5), (128, 0.6))]
    assert labels_to_target.labels_to(curve, 0.4) == 96
    assert labels_to_target.labels_to(curve, 0.55) == float("inf")
    assert labels_to_target.shown([96.0, 128.0, float("inf")]) == "128 [96, never]"


def test_the_labs_table_is_that_of_its_results(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import lab_speed

    measured = json.loads((BENCH / "results" / "lab_speed.json").read_text())
    assert measured["settings"]["rounds"] == 1000
    assert measured["settings"]["repetitions"] == 200
    assert lab_speed.table(measured["rows"]) in (BENCH / "README.md").read_text()
    sys.modules.pop("lab_speed")


def test_the_million_labels_are_those_of_their_results(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import million

    measured = json.loads((BENCH / "results" / "million.json").read_text())
    assert measured["labels"] == 1_000_000
    text = (BENCH / "README.md").read_text()
    assert million.table(measured) in text
    assert f"{measured['ledger_megabytes']:,.0f} MB of SQLite" in text
    sys.modules.pop("million")


def test_the_ledger_that_is_measured_is_a_sound_one(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import million

    from boldly.ledger.sql.verify import audit

    monkeypatch.setattr(million, "PROMPTS", 50)
    million.make(tmp_path / "run", 256)
    found = audit(tmp_path / "run" / "ledger.sqlite")
    assert found.violations == ()
    assert found.labels == 256
    sys.modules.pop("million")

"""What the documents say was measured is what the measurements say."""

import json
import math
import re
import sys
from contextlib import closing
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


@pytest.fixture
def scale(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import scale as module

    yield module
    for name in ("scale", "growth", "memory", "million", "processes"):
        sys.modules.pop(name, None)


def test_the_tables_of_growth_are_those_of_their_results(scale):
    text = (BENCH / "README.md").read_text()
    rows = json.loads((BENCH / "results" / "history.json").read_text())["rows"]
    assert [row["pairs"] for row in rows] == scale.SIZES
    assert scale.table(rows) in text
    assert scale.growth.tables(json.loads((BENCH / "results" / "growth.json").read_text())["rows"]) in text


def test_a_round_on_a_history_is_measured(scale, tmp_path):
    scale.make(tmp_path / "run", 128)
    row = scale.turn(tmp_path / "run", 128)
    assert row["pairs"] == 128
    assert min(row["start-up"], row["first round"], row["round"]) > 0.0
    assert "| 128 | " in scale.table([row])


def test_exponents_are_slopes_on_log_log_scales(scale):
    rows = [{"pairs": n, "all": 3.0 * n, "none": 0.2, "root": n**0.5} for n in (1, 10, 100, 1000)]
    found = [scale.exponent(rows, name) for name in ("all", "none", "root")]
    assert found == pytest.approx([1.0, 0.0, 0.5], abs=1e-9)


def test_exponents_of_growth_have_errors(scale):
    """An exact power law has none; a point that is off by a factor e in the middle of three has one that is known."""
    sizes = [1.0, math.e, math.e**2]
    assert scale.growth.slope(sizes, [2.0 * n**1.5 for n in sizes]) == pytest.approx((1.5, 0.0), abs=1e-9)
    off = scale.growth.slope(sizes, [1.0, math.e, 1.0])
    assert off == pytest.approx((0.0, (1 / 3) ** 0.5), abs=1e-9)


def test_a_point_of_growth_is_measured_in_a_process_of_its_own(scale, tmp_path):
    small = [scale.growth.Point(hidden=64, layers=1, batch=n, answer=8) for n in (2, 4)]
    rows = [scale.growth.measure(point) for point in small]
    assert [row["batch"] for row in rows] == [2, 4]
    assert all(min(row[name] for name in scale.growth.MEASURED) > 0.0 for row in rows)
    assert rows[0]["parameters"] == rows[1]["parameters"] > 2 * 4096 * 64
    assert "| 4 | " in scale.growth.tables({"batch": rows})
    scale.growth.plot({"batch": rows}, tmp_path / "growth.html")
    assert "batch^" in (tmp_path / "growth.html").read_text()


@pytest.fixture
def annotators(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import annotators as module

    yield module
    for name in ("annotators", "processes", *(name for name in sys.modules if name.split(".")[0] == "labelling")):
        sys.modules.pop(name, None)


def test_the_table_of_many_people_is_that_of_its_results(annotators):
    results, text = BENCH / "results" / "annotators.json", (BENCH / "README.md").read_text()
    if results.exists():
        measured = json.loads(results.read_text())
        assert [row["faults"] for row in measured["rows"]] == [[]] * len(annotators.CASES)
        assert {row["people"] for row in measured["rows"]} == {200}
        assert annotators.table(measured["rows"]) in text
    else:
        assert annotators.table([]).splitlines()[0] not in text


def test_people_who_label_at_once_are_measured_and_nothing_is_wrong_afterwards(tmp_path, annotators):
    case = annotators.Case("sqlite", 1, 20, "burst")
    row = annotators.measure(case, people=3, folder=tmp_path, database=None, seconds=1.0)
    assert row["faults"] == []
    assert row["submit"]["count"] == row["answers"] > 0
    assert row["next"]["count"] >= 6
    assert 0.0 < row["submit"]["p50"] <= row["submit"]["max"]
    assert min(row["used"]["pages"], row["used"]["megabytes"]) > 0.0
    assert "| sqlite | 1 | 20 | burst |" in annotators.table([row])


def test_what_the_ledger_lacks_or_gave_to_two_is_told(tmp_path, annotators):
    """One person skips the only pair, and another one answers it."""
    from labelling.diary import Diary, Showing

    from boldly.config.desk import rules
    from boldly.ledger.sql import SqlLedger
    from boldly.ledger.sql.desk import Desk

    run, made = tmp_path / "run", Diary()
    ann, ben = annotators.make(run, people=2, waiting=1, before=4)
    with closing(SqlLedger(run / "ledger.sqlite", exclusive=False)) as ledger:
        desk = Desk(ledger, rules(run))
        for person, action, since, until in ((ann, "skip", 0.0, 1.0), (ben, "a", 2.0, 3.0)):
            token, key = desk.lease(person).token, f"person-{person.number}-1"
            made.showings.append(Showing(person.number, token, since, until))
            made.sent[key] = person.number
            made.told[key] = desk.choose(person, token, key=key, action=action).outcome
    assert list(made.told.values()) == ["skipped", "label"]
    assert annotators.faults(run / "ledger.sqlite", made) == []
    made.showings[0].until = 2.5
    made.told["person-0-2"] = "label"
    del made.sent["person-1-1"]
    told = annotators.faults(run / "ledger.sqlite", made)
    for text, expected in zip(told, ("is not in the ledger", "who never sent it", "at once"), strict=True):
        assert expected in text

import math
from dataclasses import replace
from pathlib import Path

import pytest

from boldly.progress import Interval, Record
from boldly.report.data import RunData
from boldly.report.grouping import groups, pointwise
from boldly.report.numbers import NONE
from boldly.report.several import several
from tests.report.fakes import CONFIG, Story, records


def data(recipe: str, seed: int, halfway: float = 60.0, **config) -> RunData:
    story = Story(recipe=recipe, seed=seed, halfway=halfway)
    config = {"oracle": {**CONFIG["oracle"], "seed": seed}, **config}
    settings = {**CONFIG, "recipe": recipe, "seed": seed, "output": f"runs/{recipe}-{seed}", **config}
    return RunData(Path(f"{recipe}-{seed}"), settings, "", tuple(records(story)))


def stepping(name: str, rewards: list[float], recipe: str = "xpo", seed: int = 0) -> RunData:
    """A run whose held-out rewards, 16 labels apart, are these."""
    shape = records(Story())[0].evaluation
    made = [
        Record(t, 16 * t, replace(shape, reward=Interval(reward, reward - 0.1, reward + 0.1, 128)))
        for t, reward in enumerate(rewards)
    ]
    return RunData(Path(name), {**CONFIG, "recipe": recipe, "seed": seed}, "", tuple(made))


def table(page, section: str, block: int = 0):
    found = next(one for one in page.sections if one.id == section).blocks[block]
    return found.figures[0].table if hasattr(found, "figures") else found


def test_seeds_are_one_group_and_other_settings_are_named():
    stronger = {"objective": {**CONFIG["objective"], "alpha": 0.01}}
    found = groups(
        [data("xpo", 0), data("dpo", 0), data("xpo", 1), data("xpo", 0, **stronger), data("xpo", 2, budget=9)]
    )
    assert [(group.name, len(group.runs)) for group in found] == [
        ("xpo (objective.alpha 0.001)", 3),
        ("dpo", 1),
        ("xpo (objective.alpha 0.01)", 1),
    ]


def test_the_median_over_seeds_is_taken_where_every_seed_has_been():
    group = groups(
        [stepping("a", [0.0, 0.4, 0.8]), stepping("b", [0.2, 0.2], seed=1), stepping("c", [0.1, 0.9, 1], seed=2)]
    )[0]
    labels, medians = pointwise(group)
    assert labels == [0.0, 16.0]
    assert [(m.value, m.low, m.high) for m in medians] == [(0.1, 0.0, 0.2), (0.4, 0.2, 0.9)]


def test_labels_to_the_target_are_those_of_the_curves():
    """The best gain is 1.0 from 0.0, so the target is 0.8: reached at 32, at 48 and never."""
    runs = [
        stepping("a", [0.0, 0.5, 0.8, 1.0]),
        stepping("b", [0.0, 0.9, 0.5, 0.9, 0.9], seed=1),
        stepping("c", [0.0, 0.1, 0.1], seed=2),
        stepping("d", [0.0, 0.3, 0.3], "dpo"),
    ]
    page = several(runs)
    assert page.headline == "xpo reached a reward of 0.80 with 48 labels; dpo not within the 32 it bought."
    rows = table(page, "target").rows
    assert rows[0] == ["xpo", "48", "32", "over 32", "75%", "2 of 3", "32, 48, not within 32"]
    assert rows[1] == ["dpo", "not within 32", NONE, NONE, NONE, "0 of 1", "not within 32"]
    assert table(page, "target", 1).rows[0][1] == "16 (16 to over 32)"
    assert "As dpo bought fewer labels than the best needed" in page.standfirst


def test_a_group_that_did_not_get_there_is_drawn_where_its_labels_ended():
    page = several([stepping("a", [0.0, 0.5, 0.8, 1.0]), stepping("d", [0.0, 0.3, 0.3], "dpo")])
    figure = next(one for one in page.sections if one.id == "target").blocks[0].figures[0]
    a, d = figure.plot["data"]
    assert (a["x"], a["marker"]["symbol"]) == ([32.0], "circle")
    assert (d["x"], d["marker"]["symbol"]) == ([32.0], "triangle-right-open")
    assert d["error_x"]["array"][0] > 0


def test_who_bought_as_many_and_did_not_get_there_is_no_open_question():
    page = several([stepping("a", [0.0, 0.9, 1.0]), stepping("d", [0.0, 0.3, 0.3, 0.3], "dpo")])
    assert page.headline.endswith("dpo not within the 48 it bought.")
    assert "fewer labels" not in page.standfirst


def test_the_target_can_be_chosen():
    page = several([stepping("a", [0.0, 0.5, 0.8, 1.0]), stepping("d", [0.0, 0.3, 0.3], "dpo")], 0.25)
    assert page.headline == "xpo reached a reward of 0.25 with 16 labels, dpo with 16."
    assert "as it was asked for" in page.standfirst


def test_a_target_that_none_reached_is_said():
    page = several([stepping("a", [0.0, 0.5]), stepping("b", [0.0, 0.4], "dpo")], 2.0)
    assert page.headline == "No recipe reached a reward of 2.00 in half of its runs."


def test_runs_without_a_reward_are_compared_by_their_win_rate():
    runs = [data("xpo", 0), data("dpo", 0, 90.0)]
    blind = [
        replace(run, records=tuple(replace(r, evaluation=replace(r.evaluation, reward=None)) for r in run.records))
        for run in runs
    ]
    assert "win rate" in several(blind).headline


def test_runs_that_were_never_evaluated_have_a_page():
    runs = [replace(data("xpo", seed), records=(Record(0, 0, None),)) for seed in (0, 1)]
    page = several(runs)
    assert page.headline == "No run has been evaluated yet."
    assert [section.id for section in page.sections] == ["runs"]


@pytest.mark.parametrize("n", [1, 2, 7])
def test_every_plot_holds_finite_numbers_alone(n: int):
    def check(value):
        if isinstance(value, dict):
            for item in value.values():
                check(item)
        elif isinstance(value, list):
            for item in value:
                check(item)
        elif isinstance(value, float):
            assert math.isfinite(value)

    page = several([stepping("d", [0.0, 0.3, 0.3], "dpo"), *(data("xpo", seed) for seed in range(n))])
    for section in page.sections:
        for block in section.blocks:
            for figure in getattr(block, "figures", ()):
                check(figure.plot)

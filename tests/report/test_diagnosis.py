from dataclasses import replace

import pytest

from boldly.progress import Evaluation, Interval, Record
from boldly.report.diagnosis import SIGNATURES, diagnose
from tests.report.fakes import Story, records


def near(value: float, half: float = 0.05) -> Interval:
    return Interval(value, value - half, value + half, 128)


BASE = Evaluation(
    reward=near(0.1),
    win_rate=near(0.5),
    kl_policy=near(0.0, 0.0),
    kl_reference=near(0.0, 0.0),
    reference_mass=1.0,
    largest_log_ratio=0.0,
    length=near(10.0),
    distinct=0.9,
    truncated=0.01,
    kinds={"lazy": 0.8, "good": 0.2},
    gain=near(0.0),
)


def run(*changes: dict, bought: dict | None = None, **record) -> list[Record]:
    """The base, then an iterate for every change of its evaluation, 32 labels apart."""
    bought = {"preference": 32} if bought is None else bought
    found = [Record(0, 0, BASE)]
    for t, change in enumerate(changes, start=1):
        moved = {"kl_policy": near(1.0), "kl_reference": near(1.2), "reference_mass": 0.5, "gain": near(0.3)}
        found.append(Record(t, 32 * t, replace(BASE, **{**moved, "reward": near(0.4), **change}), bought, **record))
    return found


GOOD = run({"reward": near(0.4)}, {"reward": near(0.6), "kl_policy": near(2.0)})

LOSSES = {"preference_loss": 0.6, "gradient_norm": 1.0}


def losses(*pairs: tuple[float, float], **change) -> list[Record]:
    """An iterate for every (preference loss, bonus)."""
    found = run(*[change] * len(pairs))
    return [found[0]] + [
        replace(record, preference_loss=loss, bonus=bonus)
        for record, (loss, bonus) in zip(found[1:], pairs, strict=True)
    ]


def relabelled(*labels: int) -> list[Record]:
    """A run with these labels after its iterates."""
    found = run(*[{}] * (len(labels) - 1))
    return [replace(record, labels=n) for record, n in zip(found, labels, strict=True)]


def norms(*values: float) -> list[Record]:
    found = run(*[{}] * len(values))
    return [found[0], *(replace(r, gradient_norm=n) for r, n in zip(found[1:], values, strict=True))]


STUCK = {"kl_policy": near(0.01), "reference_mass": 0.97}

SHOWING: dict[str, list[list[Record]]] = {
    "stuck at the reference": [run(STUCK, STUCK)],
    "over-exploration": [
        run({"reward": near(0.6)}, {"reward": near(0.2), "kl_policy": near(6.0)}),
        run({"reward": near(-0.3), "kl_policy": near(9.0)}),
        run({"reward": None, "win_rate": near(0.8)}, {"reward": None, "win_rate": near(0.4), "kl_policy": near(6.0)})[
            1:
        ],
    ],
    "garbage": [run({"truncated": 0.4}), run({"kinds": {"garbage": 0.3, "good": 0.7}})],
    "collapse": [run({"distinct": 0.3})],
    "one kind of answer": [
        run({"kinds": {"bare": 0.5, "lazy": 0.5}}, *[{"kinds": {"bare": 0.95, "lazy": 0.05}, "reward": near(0.41)}] * 3)
    ],
    "length drift": [run({"length": near(17.0)}), run({"length": near(5.0)})],
    "answers cut short": [[replace(r, evaluation=replace(r.evaluation, truncated=0.3)) for r in GOOD]],
    "the bonus running away": [
        losses((0.69, -0.01), (0.6, -1.2)),
        losses((0.69, -0.1), (0.6, -0.3), largest_log_ratio=20.5),
    ],
    "instability": [
        run({}, refused_steps=2),
        run({"kl_policy": near(1.0)}, {"kl_policy": near(7.0)}),
        norms(1.0, 1.2, 0.9, 14.0, 1.0),
        norms(1.0, 1.2, 0.9, float("nan"), 1.0),
        run({"largest_log_ratio": 39.0}),
    ],
    "labels wasted on ties": [
        run({}, bought={"preference": 10, "tie": 20}),
        run({}, bought={"preference": 10, "both_bad": 6, "abstention": 6}),
    ],
    "duplicate answers": [relabelled(0, 16, 20, 23, 26), relabelled(0, 16, 16, 32)],
    "failing oracle": [run({}, bought={"preference": 32, "failed": 6})],
    "too few to tell": [
        run({"gain": near(0.05, 0.2), "reward": near(0.15, 0.2)}),
        run({"reward": None, "gain": None, "win_rate": near(0.55, 0.1)})[1:] * 2,
    ],
    "held-out answers not judged": [run({"unjudged": 20})],
}

NOT_SHOWING: dict[str, list[list[Record]]] = {
    "stuck at the reference": [run(STUCK)[:1], [replace(r, labels=r.iterate) for r in run(STUCK)]],
    "over-exploration": [run({"reward": near(0.6)}, {"reward": near(0.57), "kl_policy": near(6.0)})],
    "garbage": [run({"truncated": 0.06})],
    "collapse": [run({"distinct": 0.6})],
    "one kind of answer": [
        run(*[{"kinds": {"bare": 0.95, "lazy": 0.05}, "reward": near(0.2 * i)} for i in range(1, 5)])
    ],
    "length drift": [run({"length": near(13.0)}), run({"length": near(17.0, 9.0)})],
    "answers cut short": [run({"truncated": 0.5})],
    "the bonus running away": [
        losses((0.69, -0.01), (0.3, -0.05)),
        losses((0.69, 0.0), (0.3, 0.0), largest_log_ratio=25.0),
        losses((0.69, -0.01), (0.3, -0.05), largest_log_ratio=25.0),
    ],
    "instability": [
        norms(9.0, 8.0, 1.0, 1.2, 0.9),
        run({"kl_policy": near(1.0)}, {"kl_policy": near(3.0)}),
        run({"largest_log_ratio": 39.0}, {"largest_log_ratio": 11.0}),
        run({"largest_log_ratio": 39.0, "kl_reference": near(8.0)}),
    ],
    "labels wasted on ties": [run({}, bought={"preference": 20, "tie": 10}), run({}, bought={"tie": 5})],
    "duplicate answers": [
        relabelled(0, 16, 32, 48, 50),
        relabelled(0, 4, 8, 12, 16),
        run({}, {}, distinct_candidates=0.2),
    ],
    "failing oracle": [run({}, bought={"preference": 32, "failed": 2})],
    "too few to tell": [run({"gain": near(0.3)})],
    "held-out answers not judged": [run({"unjudged": 2})],
}


def names(found: list[Record], **options) -> list[str]:
    return [finding.name for finding in diagnose(found, **options)]


@pytest.mark.parametrize(("name", "found"), [(name, case) for name, cases in SHOWING.items() for case in cases])
def test_a_signature_is_found_where_it_is(name: str, found: list[Record]):
    assert name in names(found)


@pytest.mark.parametrize(("name", "found"), [(name, case) for name, cases in NOT_SHOWING.items() for case in cases])
def test_and_not_where_it_is_not(name: str, found: list[Record]):
    assert name not in names(found)


def test_every_signature_has_both_cases():
    assert set(SHOWING) == set(NOT_SHOWING)
    assert len(SHOWING) == len(SIGNATURES) + 1  # bonus_runaway reads the floor as well; ended_early is below


@pytest.mark.parametrize(
    ("found", "words", "setting"),
    [
        (run({"truncated": 0.9}), "are cut off", "generation.max_tokens"),
        (run({"distinct": 0.05}, distinct_candidates=0.1), "one answer only", "objective.beta"),
    ],
)
def test_a_budget_that_was_not_spent_has_its_reason(found: list[Record], words: str, setting: str):
    finding = next(f for f in diagnose(found, left=32) if f.name == "ended early")
    assert words in finding.title
    assert "bought 32 labels and left 32" in finding.evidence
    assert finding.settings[0] == setting
    assert "ended early" not in names(found, left=0)


BLIND = run({"reward": None, "win_rate": None, "gain": None}, {"reward": None, "win_rate": None, "gain": None})
BLIND[0] = replace(BLIND[0], evaluation=replace(BASE, reward=None, win_rate=None, gain=None))


@pytest.mark.parametrize(
    ("config", "why", "line"),
    [
        ({"evaluation": {"labels": None}}, "no free reward", "`evaluation: {labels: 200}`"),
        ({}, "no free reward", "`evaluation: {labels: 200}`"),
        ({"oracle": {"name": "recorded"}}, "nothing of new answers", "oracle: {name: people}}`"),
        ({"evaluation": {"labels": 8}}, "judged none of them", "oracle: {name: people}}`"),
    ],
)
def test_a_run_that_nobody_judged_names_the_line_that_mends_it(config: dict, why: str, line: str):
    (finding,) = (f for f in diagnose(BLIND, config=config, over=True) if f.name == "nothing measured")
    assert finding.evidence.startswith("3 evaluations, and not one reward or win rate")
    assert why in finding.evidence
    assert line in finding.advice
    assert finding.settings[0] == "evaluation.labels"


def test_nobody_is_missed_where_somebody_judged_or_still_may():
    """The base is compared with nobody, so that a run of people has no win rate at first."""
    assert "nothing measured" in names(BLIND[:1])
    assert "nothing measured" not in names(BLIND[:1], config={"evaluation": {"labels": 8}})
    assert "nothing measured" not in names(GOOD, over=True)
    assert "nothing measured" not in names([BLIND[0], GOOD[1]], over=True)
    assert "nothing measured" not in names([Record(0, 0, None)], over=True)


@pytest.mark.parametrize("found", [[], [Record(0, 0, None)], [Record(0, 0, BASE)], GOOD])
def test_a_run_that_goes_well_or_has_not_begun_has_no_findings(found: list[Record]):
    assert diagnose(found) == []


def test_a_good_made_up_run_has_at_most_notes():
    assert {finding.severity for finding in diagnose(records(Story()))} <= {"note"}


def test_evidence_is_numbers_and_advice_names_settings():
    for cases in SHOWING.values():
        for finding in (finding for case in cases for finding in diagnose(case)):
            assert any(character.isdigit() for character in finding.evidence)
            assert finding.settings
            assert all("." in key or key == "budget" for key in finding.settings)


def test_the_floor_is_that_of_the_run():
    pressed = losses((0.69, -0.1), (0.6, -0.3), largest_log_ratio=6.0)
    assert "the bonus running away" in names(pressed, floor=5.0)
    assert "the bonus running away" not in names(pressed, floor=20.0)


def test_the_most_serious_comes_first():
    severities = [f.severity for f in diagnose(run({"length": near(30.0), "distinct": 0.1, "unjudged": 60}))]
    assert severities == ["serious", "warning", "note"]


def test_settings_that_are_named_exist():
    """Every key is one of the configuration's own, or an option of a registered part."""
    from boldly.config.methods import REGISTRIES, function_of
    from boldly.config.options import options_model
    from boldly.config.schema import RunConfig

    options = {
        f"{section}.{option}"
        for section, registry in REGISTRIES.items()
        for entry in registry.values()
        for option in options_model(function_of(entry)).model_fields
    }
    fields = {*RunConfig.model_fields}
    for section, field in RunConfig.model_fields.items():
        model = field.annotation
        if hasattr(model, "model_fields"):
            fields |= {f"{section}.{name}" for name in model.model_fields}
    named = {f"{section}.name" for section in REGISTRIES}
    settings = {
        key for cases in SHOWING.values() for case in cases for f in diagnose(case, left=9) for key in f.settings
    } | {key for f in diagnose(BLIND) for key in f.settings}
    assert settings <= options | fields | named

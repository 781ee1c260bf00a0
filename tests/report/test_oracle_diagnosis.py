import pytest

from boldly.metrics import Agreement, Checks, Habit, wilson
from boldly.report.diagnosis import diagnose


def same(first: str, second: str, agreed: float, pairs: int) -> Agreement:
    return Agreement(first, second, wilson(agreed, pairs), None)


def names(checks: Checks) -> list[str]:
    return [finding.name for finding in diagnose([], checks=checks)]


@pytest.mark.parametrize(
    ("checks", "found"),
    [
        (Checks(flipped=(Habit("judge", wilson(20, 64)),)), ["verdicts that flip"]),
        (Checks(flipped=(Habit("judge", wilson(12, 64)),)), []),
        (Checks(flipped=(Habit("judge", wilson(10, 20)),)), []),
        (Checks(between=(same("judge", "person 1", 35, 64),)), ["agreement near chance"]),
        (Checks(between=(same("judge", "person 1", 48, 64),)), []),
        (Checks(between=(same("judge", "person 1", 8, 16),)), []),
        (Checks(first_shown=(Habit("person 1", wilson(48, 64)),)), ["a lean to one place"]),
        (Checks(first_shown=(Habit("person 1", wilson(16, 64)),)), ["a lean to one place"]),
        (Checks(first_shown=(Habit("person 1", wilson(36, 64)),)), []),
        (Checks(first_shown=(Habit("person 1", wilson(5600, 10000)),)), []),
        (Checks(canaries=(Habit("judge", wilson(9, 40)),)), ["planted answers that win"]),
        (Checks(canaries=(Habit("judge", wilson(1, 40)),)), []),
        (Checks(), []),
    ],
)
def test_what_labels_say_of_their_sources_is_found(checks: Checks, found: list[str]):
    assert names(checks) == found


def test_a_judge_that_looks_twice_has_no_lean_left():
    """Its verdict combines both orders; what is left of its lean is the flips."""
    lean, flips = Habit("judge", wilson(64, 64)), Habit("judge", wilson(64, 64))
    assert names(Checks(first_shown=(lean,), flipped=(flips,))) == ["verdicts that flip"]


def test_an_oracle_that_disagrees_with_itself_is_worse_than_two_that_disagree():
    (itself,) = diagnose([], checks=Checks(within=(same("judge", "judge", 32, 64),)))
    (other,) = diagnose([], checks=Checks(between=(same("ann", "ben", 32, 64),)))
    assert (itself.severity, other.severity) == ("serious", "warning")
    assert "judge and itself, asked again, agree in 50% (38% to 62%) of 64 pairs" in itself.evidence


def test_settings_that_are_named_exist():
    from boldly.config.options import options_model
    from boldly.config.schema import ConsistencyConfig
    from boldly.oracles.registry import ORACLES

    bad = Checks(
        between=(same("ann", "ben", 32, 64),),
        flipped=(Habit("judge", wilson(40, 64)),),
        canaries=(Habit("judge", wilson(40, 64)),),
        first_shown=(Habit("ann", wilson(60, 64)),),
    )
    findings = diagnose([], checks=bad)
    assert len(findings) == 4
    known = {f"oracle.{option}" for factory in ORACLES.values() for option in options_model(factory).model_fields}
    known |= {"oracle.name", "selector.name"} | {f"consistency.{name}" for name in ConsistencyConfig.model_fields}
    assert {key for finding in findings for key in finding.settings} <= known

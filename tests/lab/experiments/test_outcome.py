"""What becomes of a claim when there were hardly any repetitions."""

import pytest

from boldly.lab.experiments import Finding, Outcome


def outcome(holds: bool | None, **settings: int) -> Outcome:
    return Outcome("name", "title", "question?", [], settings, [Finding("id", "t", "c", "It was 3.", holds)], [])


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize(
    ("seeds", "told"), [(1, "1 repetition is"), (2, "2 repetitions are"), (4, "4 repetitions are")]
)
def test_few_repetitions_decide_no_claim(holds: bool, seeds: int, told: str):
    (finding,) = outcome(holds, seeds=seeds).findings
    assert (finding.holds, finding.undecided) == (None, True)
    assert finding.verdict == f"{told} too few to decide. It was 3."


@pytest.mark.parametrize("settings", [{"seeds": 5}, {"seeds": 100}, {}])
@pytest.mark.parametrize("holds", [True, False, None])
def test_enough_of_them_decide(holds: bool | None, settings: dict[str, int]):
    (finding,) = outcome(holds, **settings).findings
    assert (finding.holds, finding.verdict, finding.undecided) == (holds, "It was 3.", False)


def test_what_was_only_measured_stays_as_it_is():
    (finding,) = outcome(None, seeds=1).findings
    assert finding.verdict == "It was 3."

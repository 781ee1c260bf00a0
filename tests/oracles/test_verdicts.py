"""What functions return, and what is made of it."""

import numpy as np
import pytest
import torch

from boldly.oracles.verdicts import compared, raised, read_verdict
from boldly.types import Abstention, BothBad, Failure, Preference, Tie, Verdict


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, Preference(1.0)),
        (False, Preference(0.0)),
        (np.True_, Preference(1.0)),
        ("a", Preference(1.0)),
        ("b", Preference(0.0)),
        ("tie", Tie()),
        ("both_bad", BothBad()),
        ("abstain", Abstention()),
        (None, Abstention()),
        (1, Preference(1.0)),
        (0, Preference(0.0)),
        (0.25, Preference(0.25)),
        (np.float32(0.5), Preference(0.5)),
        (torch.tensor(0.75), Preference(0.75)),
    ],
    ids=repr,
)
def test_what_is_read(value: object, expected: Verdict):
    assert read_verdict(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(-1, 2, 1.0001, -1e-9, float("nan"), float("inf"), 1j),
        *("A", "A and B", "", "1", b"a", [1.0], {}, object(), print),
        *(torch.zeros(2), np.zeros(2), Tie(), Preference(1.0)),
    ],
    ids=lambda value: str(value)[:20],
)
def test_nonsense_is_a_failure(value: object):
    assert isinstance(read_verdict(value), Failure)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (2.0, 1.0, Preference(1.0)),
        (-2, -1, Preference(0.0)),
        (1, 1.0, Tie()),
        (True, False, Preference(1.0)),
        (torch.tensor(1.0), np.float64(0.0), Preference(1.0)),
        (torch.tensor([1.0]), 0.0, Preference(1.0)),
    ],
)
def test_the_higher_reward_wins(a: object, b: object, expected: Verdict):
    assert compared(a, b) == expected


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), None, "1", torch.zeros(2), [1.0], 1j])
def test_a_reward_that_is_no_number_is_a_failure(bad: object):
    assert isinstance(compared(bad, 0.0), Failure)
    assert isinstance(compared(0.0, bad), Failure)


def test_a_failure_names_the_error_and_its_first_line():
    assert raised(ValueError("one\ntwo")) == Failure("ValueError: one")
    assert raised(SystemExit()) == Failure("SystemExit")

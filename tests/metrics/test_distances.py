import math

import pytest
import torch

from boldly.metrics import kl_policy, kl_reference, largest_log_ratio, reference_mass

PI = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
REF = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)


def drawn_from(probabilities: torch.Tensor, n: int = 20000) -> list[float]:
    """log pi/pi_ref of `n` responses drawn from `probabilities`."""
    arms = torch.multinomial(probabilities, n, replacement=True, generator=torch.Generator().manual_seed(3))
    return (PI.log() - REF.log())[arms].tolist()


def test_both_directions_of_kl_are_those_of_the_definition():
    """n = 20,000; each 95% interval holds the truth, and the two truths lie far outside each other's."""
    truth_policy = float((PI * (PI / REF).log()).sum())
    truth_reference = float((REF * (REF / PI).log()).sum())
    policy, reference = kl_policy(drawn_from(PI)), kl_reference(drawn_from(REF))
    assert policy.low <= truth_policy <= policy.high
    assert reference.low <= truth_reference <= reference.high
    assert reference.low > policy.high


def test_reference_mass_is_one_minus_total_variation():
    """n = 20,000: the standard error is below .004, so .016 is four of them."""
    truth = float(torch.minimum(PI, REF).sum())
    assert reference_mass(drawn_from(REF)) == pytest.approx(truth, abs=0.016)


def test_reference_mass_has_no_overflow():
    assert reference_mass([1e4, -1e4]) == 0.5
    assert reference_mass([0.0, 0.0]) == 1.0


def test_largest_log_ratio_looks_at_both_signs():
    assert largest_log_ratio([0.5, -3.0], [2.0]) == 3.0
    assert largest_log_ratio([0.5], [-math.log(8)]) == pytest.approx(math.log(8))

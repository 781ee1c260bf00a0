"""Algorithm 1 on a problem of two arms: the bonus finds the good one, and nothing else does."""

import pytest

from boldly.lab import Feedback, Method, objective
from boldly.lab.classes import grid_of_two_arms
from boldly.lab.feedback import bradley_terry
from boldly.lab.learners import Exact
from boldly.lab.problems.instances import two_arms
from boldly.lab.quantities.value import gap
from boldly.lab.single import single
from boldly.loop import rounds


def best_gap(beta, seed, alpha, rounds_):
    """The smallest J_beta(pi*) - J_beta(pi) of the iterates of a run on Proposition 2.1 of arXiv 2405.21046.

    The good arm has mass exp(-1/(8 beta)), its rival reward 1/2; the argmin is exact over a grid of policies with
    V_max = 1, and its ties go to the reference.
    """
    problem = two_arms(beta)
    method = Method("xpo", objective("xpo", beta=beta, alpha=alpha), Exact(grid_of_two_arms(problem)))
    loop, oracle = single(problem, method, Feedback(bradley_terry()), rounds=rounds_, seed=seed)
    iterates = [loop.archive[0], *(done.policy for done in rounds(loop, oracle))]
    return min(float(gap(problem, policy.log_pi)) for policy in iterates)


def success(beta, alpha, seeds, rounds_=200):
    gaps = [best_gap(beta, seed, alpha, rounds_) for seed in seeds]
    return sum(found < 1 / 8 for found in gaps) / len(gaps)


@pytest.mark.slow
def test_xpo_finds_the_good_arm_where_online_dpo_does_not():
    """Acceptance check 5 at beta 0.015, with 100 rounds and 20 seeds.

    Online DPO sees the good arm in 100 rounds with probability 1 - (1 - 2.4e-4)^200 = 4.7%, so that more than 20% of
    20 seeds do has probability 0.1%; the bonus needs no luck.
    """
    assert success(0.015, alpha=0.0015, seeds=range(20), rounds_=100) >= 0.95
    assert success(0.015, alpha=0.0, seeds=range(20), rounds_=100) <= 0.20


def test_the_bonus_moves_an_exact_run_off_its_reference_at_once():
    """The same on three seeds and ten rounds: the good arm is found in every one, and in none without the bonus.

    Without it the arm has mass 2.4e-4, so ten pairs see it with probability 0.5% in each run.
    """
    assert success(0.015, alpha=0.0015, seeds=range(3), rounds_=10) == 1.0
    assert success(0.015, alpha=0.0, seeds=range(3), rounds_=10) == 0.0


def test_the_wrong_sign_stays_at_the_reference():
    """Negative control: with the bonus subtracted no run leaves the reference."""
    assert success(0.015, alpha=-0.0015, seeds=range(3), rounds_=10) == 0.0

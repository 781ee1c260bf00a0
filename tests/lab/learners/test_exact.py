"""The exact argmin against brute force in plain Python, its tie rules, and what a round costs."""

import math

import jaxtyping
import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab import Feedback, Method, Repetitions, objective
from boldly.lab.classes import FiniteClass, grid_of_two_arms, of_rewards
from boldly.lab.evidence import Rows
from boldly.lab.feedback import bradley_terry
from boldly.lab.learners import Evidence, Exact, Setting
from boldly.lab.problems import Bandit, two_arms
from boldly.loop import rounds

BETA, PROMPTS, RESPONSES, MEMBERS = 0.4, 2, 4, 25


def random(*shape, seed):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(*instances):
    half = torch.full((PROMPTS,), 0.5, dtype=torch.float64)
    shape = (*instances, PROMPTS, RESPONSES)
    length = torch.arange(1.0, RESPONSES + 1, dtype=torch.float64)
    return Bandit((2 * random(*shape, seed=1)).log_softmax(-1), random(*shape, seed=2), BETA, half, length)


def softplus(z):
    return math.log1p(math.exp(-abs(z))) + max(z, 0.0)


def dpo_of_a_row(pi, reference, x, a, b, label):
    margin = BETA * ((pi[x][a] - reference[x][a]) - (pi[x][b] - reference[x][b]))
    return label * softplus(-margin) + (1 - label) * softplus(margin)


def ipo_of_a_row(pi, reference, x, a, b, label):
    margin = (pi[x][a] - reference[x][a]) - (pi[x][b] - reference[x][b])
    goal = 1 / (2 * 0.3)
    return label * (margin - goal) ** 2 + (1 - label) * (-margin - goal) ** 2


OBJECTIVES = {
    "dpo": (objective("dpo", beta=BETA), dpo_of_a_row),
    "xpo": (
        objective("xpo", beta=BETA, alpha=0.05),
        lambda pi, reference, x, a, b, label: dpo_of_a_row(pi, reference, x, a, b, label) + 0.05 * pi[x][b],
    ),
    "ipo": (objective("ipo", tau=0.3), ipo_of_a_row),
}


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("rule", ["fixed", "previous", "moving_average"])
def test_every_iterate_is_the_argmin_of_the_sum_over_the_whole_history(name, rule):
    """Every member's loss over every row so far, summed by hand: the iterate's is the least, to 1e-9.

    With a moving reference the whole history is summed anew against it.
    """
    bandit, (function, of_a_row) = problem(3), OBJECTIVES[name]
    rewards = random(3, MEMBERS, PROMPTS, RESPONSES, seed=3)
    members = of_rewards(bandit, rewards)
    method = Method(name, function, Exact(members), reference=rule)
    history = [[], [], []]
    for turn in rounds(Repetitions(bandit, method, 12, range(3), 2), Feedback(bradley_terry())):
        for i in range(3):
            numbers = (getattr(turn.rows, part)[i].tolist() for part in ("prompt", "a", "b", "label"))
            history[i] += zip(*numbers, strict=True)
            reference = turn.reference[i].tolist()
            losses = [
                math.fsum(of_a_row(each, reference, *row) for row in history[i]) for each in members.log_pi[i].tolist()
            ]
            chosen = next(k for k in range(MEMBERS) if torch.equal(members.log_pi[i, k], turn.policy[i]))
            assert losses[chosen] <= min(losses) + 1e-9
    assert len(history[0]) == 24


def test_drawn_labels_matter():
    """The argmin moves as labels come, so that a learner which stays where it is does not pass for exact."""
    bandit = problem()
    members = of_rewards(bandit, random(MEMBERS, PROMPTS, RESPONSES, seed=3))
    method = Method("dpo", OBJECTIVES["dpo"][0], Exact(members))
    turns = list(rounds(Repetitions(bandit, method, 30, range(4)), Feedback(bradley_terry())))
    assert len({turn.policy[0].sum().item() for turn in turns}) > 3


def fitted(learner, bandit, rows, *, seeds=(0,), function=None):
    begun = learner.begin(Setting(bandit, function or OBJECTIVES["dpo"][0], tuple(seeds)))
    base = bandit.log_reference.expand(len(seeds), -1, -1)
    return begun(base, base, Evidence(0, rows, lambda: rows))


def equal_pairs(repetitions=1):
    """A pair of the same response, which says nothing: every member has the loss log 2."""
    zeros = torch.zeros(repetitions, 1, dtype=torch.int64)
    ones = torch.ones(repetitions, 1, dtype=torch.float64)
    return Rows(zeros, zeros + 1, zeros + 1, ones, ones)


def distances(bandit, members):
    reference = bandit.log_reference
    return ((reference.exp() * (reference - members)).sum(-1) * bandit.prompt_law).sum(-1)


@pytest.mark.parametrize(("ties", "best"), [("reference", min), ("optimistic", max)])
def test_ties_go_to_the_member_nearest_to_the_reference_or_farthest_from_it(ties, best):
    bandit = two_arms(0.05)
    members = grid_of_two_arms(bandit)
    found = fitted(Exact(members, ties), bandit, equal_pairs())[0]
    far = distances(bandit, members.log_pi).tolist()
    assert torch.allclose(found, members.log_pi[far.index(best(far))], rtol=0, atol=1e-12)
    assert torch.allclose(found, bandit.log_reference, rtol=0, atol=1e-12) == (ties == "reference")


def test_ties_at_random_are_even_over_the_members_and_depend_on_the_seed_alone():
    """4,000 seeds over 8 tied members: a chi-squared value above 45 comes by chance once in 7e6.

    A rule that never took one of the members would give 570.
    """
    bandit = problem()
    members = of_rewards(bandit, random(8, PROMPTS, RESPONSES, seed=3))
    learner, seeds = Exact(members, "random"), range(4000)
    found = fitted(learner, bandit, equal_pairs(len(seeds)), seeds=seeds)
    counts = (found[:, None] == members.log_pi).all(-1).all(-1).sum(0).double()
    assert int(counts.sum()) == len(seeds)
    assert float(((counts - 500).square() / 500).sum()) < 45
    assert torch.equal(fitted(learner, bandit, equal_pairs(), seeds=[17])[0], found[17])


@pytest.mark.parametrize("ties", ["reference", "optimistic", "random"])
def test_a_rule_for_ties_never_overrules_the_loss(ties):
    """One label that tells the members apart: the least loss wins by any rule, in every repetition."""
    bandit = problem()
    members = of_rewards(bandit, random(MEMBERS, PROMPTS, RESPONSES, seed=3))
    rows = equal_pairs(20)
    rows = Rows(rows.prompt, rows.a, rows.b - 1, rows.label, rows.weight)
    found = fitted(Exact(members, ties), bandit, rows, seeds=range(20))
    losses = [dpo_of_a_row(each, bandit.log_reference.tolist(), 0, 1, 0, 1.0) for each in members.log_pi.tolist()]
    assert torch.equal(found, members.log_pi[losses.index(min(losses))].expand(20, -1, -1))


def test_rows_count_by_their_weight():
    """Weights 3 and 0 are three rows and none."""
    bandit = problem()
    members = of_rewards(bandit, random(MEMBERS, PROMPTS, RESPONSES, seed=3))
    number = lambda *values: torch.tensor([values])  # noqa: E731
    real = lambda *values: torch.tensor([values], dtype=torch.float64)  # noqa: E731
    weighted = Rows(number(0, 1, 0), number(1, 2, 3), number(0, 0, 1), real(1, 0, 1), real(3, 1, 0))
    rows = Rows(number(0, 0, 0, 1), number(1, 1, 1, 2), number(0, 0, 0, 0), real(1, 1, 1, 0), real(1, 1, 1, 1))
    losses = [
        Exact(members).begin(Setting(bandit, OBJECTIVES["xpo"][0], (0,))).losses(each, bandit.log_reference[None])
        for each in (weighted, rows)
    ]
    assert torch.allclose(*losses, rtol=0, atol=1e-12)


class Counting:
    """How many rows an objective was asked to look at in each call."""

    def __init__(self, function):
        self.function, self.rows = function, []

    def __call__(self, pairs):
        self.rows.append(pairs.label.numel())
        return self.function(pairs)


def rows_seen(rule, count):
    bandit = problem()
    counting = Counting(OBJECTIVES["xpo"][0])
    learner = Exact(of_rewards(bandit, random(MEMBERS, PROMPTS, RESPONSES, seed=3)))
    method = Method("xpo", counting, learner, reference=rule)
    for _ in rounds(Repetitions(bandit, method, count, range(3), 2), Feedback(bradley_terry())):
        pass
    return counting.rows


def test_a_round_costs_the_same_however_many_came_before():
    """Every row is looked at once under each member: 3 repetitions, 25 members and 2 rows, in round 200 as in 1."""
    assert rows_seen("fixed", 200) == [3 * MEMBERS * 2] * 200


def test_with_a_moving_reference_a_round_costs_no_more_than_all_pairs():
    """All rows are looked at again, or every pair with its count once those are fewer: 2 prompts x 4 x 4 responses."""
    pairs = PROMPTS * RESPONSES**2
    expected = [3 * MEMBERS * min(2 * t, pairs) for t in range(1, 101)]
    assert rows_seen("previous", 100) == expected


def test_an_unknown_rule_for_ties_is_refused(monkeypatch):
    """As it is outside of tests, where types are not checked at run time."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(InvalidInput, match="ties is 'first', but there are reference, random, optimistic"):
        Exact(grid_of_two_arms(two_arms(0.05)), "first")


def test_one_class_serves_every_repetition_or_each_has_its_own():
    bandit = problem(3)
    own = of_rewards(bandit, random(3, MEMBERS, PROMPTS, RESPONSES, seed=3))
    together = fitted(Exact(own), bandit, equal_pairs(3), seeds=range(3))
    for i in range(3):
        one = Bandit(bandit.log_reference[i], bandit.reward[i], BETA, bandit.prompt_law, bandit.length)
        assert torch.equal(fitted(Exact(FiniteClass(own.log_pi[i])), one, equal_pairs(), seeds=[i])[0], together[i])

"""Algorithm 1 in all repetitions at once: a repetition depends on its seed alone, and bad input is refused."""

from dataclasses import replace

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab import Feedback, Method, Repetitions, objective
from boldly.lab.classes import of_rewards
from boldly.lab.draws import Draw
from boldly.lab.feedback import bradley_terry
from boldly.lab.learners import Exact
from boldly.lab.problems import Bandit, cyclic_game
from boldly.lab.repetitions import require_bandit, require_seeds
from boldly.lab.second import SECOND
from boldly.loop import rounds

BETA, PROMPTS, RESPONSES = 0.4, 2, 5


def random(*shape, seed):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(*instances):
    law = torch.tensor([0.3, 0.7], dtype=torch.float64)
    shape = (*instances, PROMPTS, RESPONSES)
    return Bandit(
        (2 * random(*shape, seed=1)).log_softmax(-1),
        random(*shape, seed=2),
        BETA,
        law,
        torch.ones(RESPONSES, dtype=torch.float64),
    )


def method(bandit, **changes):
    rewards = random(30, PROMPTS, RESPONSES, seed=3)
    shared = Bandit(
        bandit.log_reference.reshape(-1, PROMPTS, RESPONSES)[0], rewards[0], BETA, bandit.prompt_law, bandit.length
    )
    learner = Exact(of_rewards(shared, rewards), ties="random")
    return replace(Method("xpo", objective("xpo", beta=BETA, alpha=0.05), learner), **changes)


def turned(bandit, method, seeds, count, *, per_round=2):
    """What was bought and what was learned in each round: numbers with a place for each repetition in the middle."""
    repetitions = Repetitions(bandit, method, count, seeds, per_round)
    turns = list(rounds(repetitions, Feedback(bradley_terry())))
    rows = torch.stack([torch.stack([t.rows.prompt, t.rows.a, t.rows.b, t.rows.label]) for t in turns])
    return rows.transpose(1, 2), torch.stack([turn.policy for turn in turns]), turns


@pytest.mark.parametrize(
    "changes",
    [{"second": name} for name in sorted(SECOND)] + [{"reference": "previous"}, {"reference": "moving_average"}],
    ids=lambda changes: "-".join(changes.values()),
)
def test_a_seed_s_repetition_is_the_same_alone_among_fifty_and_in_a_shorter_run(changes):
    bandit = problem()
    alone = turned(bandit, method(bandit, **changes), [7], 25)
    many = turned(bandit, method(bandit, **changes), range(50), 25)
    short = turned(bandit, method(bandit, **changes), [3, 7], 10)
    for other, row, count in ((many, 7, 25), (short, 1, 10)):
        for mine, theirs in zip(alone[:2], other[:2], strict=True):
            assert torch.equal(mine[:count, 0], theirs[:, row])
    assert many[0][:, 7].ne(many[0][:, 8]).any()


def test_a_seed_s_repetition_has_its_own_instance_whoever_is_beside_it():
    bandit = problem(6)
    one = Bandit(bandit.log_reference[4:5], bandit.reward[4:5], BETA, bandit.prompt_law, bandit.length)
    many, alone = turned(bandit, method(bandit), range(6), 15), turned(one, method(bandit), [4], 15)
    assert torch.equal(many[0][:, 4], alone[0][:, 0])
    assert torch.equal(many[1][:, 4], alone[1][:, 0])


def test_a_round_buys_as_many_labels_as_it_is_told_and_counts_them():
    bandit = problem()
    rows, _, turns = turned(bandit, method(bandit), range(3), 5, per_round=4)
    assert rows.shape == (5, 3, 4, 4)
    assert [turn.labels for turn in turns] == [4, 8, 12, 16, 20]
    assert [turn.number for turn in turns] == [0, 1, 2, 3, 4]


class Numbers:
    """The same numbers in every round."""

    def __init__(self, **numbers):
        self.draw = Draw(**{name: torch.tensor([[value]], dtype=torch.float64) for name, value in numbers.items()})

    def __call__(self, t):
        return self.draw


@pytest.mark.parametrize(("number", "prompt"), [(0.29, 0), (0.31, 1)])
def test_prompts_come_by_their_law_and_responses_by_the_policy_s_and_the_reference_s(number, prompt):
    """The first round, where both are the reference: a number just below and above each cumulated mass."""
    bandit = problem()
    cumulated = bandit.log_reference.exp()[prompt].cumsum(0)
    for a in range(RESPONSES - 1):
        for shift, expected in ((-1e-9, a), (1e-9, a + 1)):
            draws = Numbers(prompt=number, a=float(cumulated[a]) + shift, b=1 - 1e-12, label=0.5)
            queries = Repetitions(bandit, method(bandit), 1, [0], draws=draws).ask()
            assert (int(queries.prompt), int(queries.a), int(queries.b)) == (prompt, expected, RESPONSES - 1)


def test_asking_twice_asks_once():
    bandit = problem()
    repetitions = Repetitions(bandit, method(bandit), 3, [0])
    assert not repetitions.asked
    queries = repetitions.ask()
    assert repetitions.asked
    assert repetitions.ask() is queries
    assert repetitions.left == 1
    repetitions.buy(queries, Feedback(bradley_terry()))
    repetitions.fit()
    assert not repetitions.asked
    assert repetitions.ask() is not queries


def test_nothing_is_left_after_the_last_round():
    bandit = problem()
    repetitions = Repetitions(bandit, method(bandit), 2, [0], labels_per_round=3)
    assert repetitions.left == 3
    assert len(list(rounds(repetitions, Feedback(bradley_terry())))) == 2
    assert repetitions.left == 0


@pytest.mark.parametrize("name", ["fixed", "previous", "moving_average"])
def test_the_reference_of_a_round_follows_its_rule(name):
    bandit = problem()
    _, policies, turns = turned(bandit, method(bandit, reference=name), range(4), 6)
    base = bandit.log_reference.expand(4, -1, -1)
    iterates, average = [base, *policies], base
    for t, turn in enumerate(turns):
        average = base if t == 0 else (0.9 * average + 0.1 * iterates[t]).log_softmax(-1)
        expected = {"fixed": base, "previous": iterates[t], "moving_average": average}[name]
        assert torch.allclose(turn.reference, expected, rtol=0, atol=1e-12)


def test_a_round_without_a_label_can_t_be_fitted():
    bandit = problem()
    repetitions = Repetitions(bandit, method(bandit), 3, [0])
    repetitions.ask()
    with pytest.raises(InvalidInput, match="round 0 has not one label"):
        repetitions.fit()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"rounds": 0}, "rounds is 0"),
        ({"rounds": -3}, "rounds is -3"),
        ({"labels_per_round": 0}, "labels_per_round is 0"),
        ({"seeds": []}, "every repetition needs one"),
        ({"problem": problem(3)}, r"holds \(3,\) instances and there are 2 seeds"),
        ({"problem": problem(1, 2)}, r"holds \(1, 2\) instances and there are 2 seeds"),
    ],
)
def test_what_can_t_run_is_refused_before_it_does(changes, named):
    bandit = problem()
    settings = {"problem": bandit, "method": method(bandit), "rounds": 5, "seeds": [0, 1]} | changes
    with pytest.raises(InvalidInput, match=named):
        Repetitions(**settings)


class Spoilt:
    """A learner that returns `policy` changed by a function, which leaves it no law."""

    def __init__(self, change):
        self.change = change

    def begin(self, setting):
        return lambda policy, reference, evidence: self.change(policy)


@pytest.mark.parametrize(
    "change",
    [lambda p: p * torch.nan, lambda p: p * 0, lambda p: p.exp(), lambda p: p + 1e-3],
    ids=["nan", "mass", "probabilities", "not normalised"],
)
def test_a_learner_that_returns_no_law_is_named_and_refused(change):
    """It would be scored as any other: a table of NaN has no gap."""
    bandit = problem()
    spoilt = method(bandit, name="spoilt", learner=Spoilt(change))
    with pytest.raises(InvalidInput, match=r"`spoilt`.*round 0.*log_softmax"):
        turned(bandit, spoilt, range(3), 2)


def test_a_law_without_mass_somewhere_is_one():
    bandit = problem()

    def greedy(policy):
        return torch.where(policy == policy.amax(-1, keepdim=True), 0.0, -torch.inf).double()

    assert len(turned(bandit, method(bandit, learner=Spoilt(greedy)), range(3), 2)[2]) == 2


def test_an_objective_that_is_not_finite_is_refused_where_it_arises():
    bandit = problem()

    def broken(pairs):
        terms = objective("dpo", beta=BETA)(pairs)
        return terms._replace(bonus=torch.where(pairs.policy_a < -2, torch.nan, 0.0).double())

    with pytest.raises(InvalidInput, match=r"nan.*repetition.*argmin"):
        turned(bandit, method(bandit, objective=broken), range(3), 5)


def test_what_is_no_bandit_is_told_how_to_become_one():
    with pytest.raises(InvalidInput, match=r"Game.*\.bandit\(\)"):
        require_bandit(cyclic_game(3, beta=0.1))


@pytest.mark.parametrize("seeds", [10, [], None])
def test_seeds_are_a_sequence_of_them(seeds):
    with pytest.raises(InvalidInput, match=r"seeds=range\(100\)"):
        require_seeds(seeds)


def test_a_class_of_another_problem_is_refused():
    bandit = problem()
    smaller = Bandit(
        bandit.log_reference[:, :4].log_softmax(-1),
        bandit.reward[:, :4],
        BETA,
        bandit.prompt_law,
        bandit.length[:4],
    )
    with pytest.raises(InvalidInput, match="5 responses"):
        turned(bandit, method(bandit, learner=Exact(of_rewards(smaller, smaller.reward[None]))), range(2), 1)

"""The lab's vectorised run and the loop of language models: one function turns both; with equal draws they agree."""

import importlib
import random
from dataclasses import replace

import pytest
import torch

from boldly.errors import InvalidInput
from boldly.lab import Feedback, Method, Repetitions, objective
from boldly.lab.classes import of_rewards
from boldly.lab.draws import Draw
from boldly.lab.feedback import bradley_terry, ties
from boldly.lab.learners import Exact
from boldly.lab.problems import Bandit
from boldly.lab.single import number_of, rows_of, single
from boldly.lab.trace import turns as lab_turns
from boldly.loop import Turns, rounds
from boldly.randomness import derive
from boldly.selectors import SELECTORS, random_pair
from boldly.types import comparisons

SEED, ROUNDS, PER_ROUND = 5, 12, 3
BETA = 0.4


def problem(prompts=2, responses=5, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shape = (prompts, responses)
    return Bandit(
        torch.randn(shape, generator=generator, dtype=torch.float64).log_softmax(-1),
        torch.rand(shape, generator=generator, dtype=torch.float64),
        BETA,
        torch.full((prompts,), 1 / prompts, dtype=torch.float64),
        torch.arange(1.0, responses + 1, dtype=torch.float64),
    )


def method(problem, **changes):
    generator = torch.Generator().manual_seed(2)
    rewards = torch.rand(40, problem.prompts, problem.responses, generator=generator, dtype=torch.float64)
    learner = Exact(of_rewards(problem, rewards))
    return replace(Method("xpo", objective("xpo", beta=BETA, alpha=0.05), learner), **changes)


class Replayed:
    """The numbers that a loop of its own drew: its seeds' streams, and its queries' labels."""

    def __init__(self, loop, problem, second):
        self.loop, self.cumulated, self.second = loop, problem.prompt_law.cumsum(0), second

    def __call__(self, t):
        queries = self.loop.ledger.queries(t)
        seed = derive(derive(SEED, "round", t, "sample", 0), "policy")
        stream = lambda n, seed: torch.rand(  # noqa: E731
            len(queries), n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
        )
        if self.second == "policy":
            a, b = stream(2, seed).T
        else:
            a = stream(1, seed)[:, 0]
            b = stream(1, derive(derive(SEED, "round", t, "sample", 0), "reference"))[:, 0]
        prompt = self.cumulated[[number_of(query.prompt) for query in queries]] - 1e-6
        label = [random.Random(derive(SEED, "label", query.id)).random() for query in queries]
        return Draw(prompt[None], a[None], b[None], torch.tensor([label], dtype=torch.float64))


def numbers_of(labels):
    rows = rows_of(labels)
    return [column[0].tolist() for column in (rows.prompt, rows.a, rows.b)]


@pytest.mark.parametrize("law", [bradley_terry(scale=3.0), ties(nu=1.0)], ids=["bradley-terry", "ties"])
@pytest.mark.parametrize("second", ["reference", "policy"])
@pytest.mark.parametrize("reference", ["fixed", "previous", "moving_average"])
def test_a_repetition_is_a_run_of_the_loop(law, second, reference):
    """Every iterate, to the bit where the reference is fixed; a wrong row, label or order would change all after it."""
    bandit = problem()
    composed = method(bandit, second=second, reference=reference)
    feedback = Feedback(law)
    loop, oracle = single(bandit, composed, feedback, rounds=ROUNDS, seed=SEED, labels_per_round=PER_ROUND)
    slow = [done.policy.log_pi for done in rounds(loop, oracle)]
    draws = Replayed(loop, bandit, second)
    fast = Repetitions(bandit, composed, ROUNDS, [SEED], labels_per_round=PER_ROUND, draws=draws)
    turns = list(rounds(fast, feedback))
    assert len(slow) == len(turns) == ROUNDS
    assert len({tuple(policy.flatten().tolist()) for policy in slow}) > 1
    for one, turn in zip(slow, turns, strict=True):
        torch.testing.assert_close(one, turn.policy[0], atol=1e-12, rtol=0)
    bought = torch.cat([torch.stack([turn.rows.prompt, turn.rows.a, turn.rows.b])[:, 0] for turn in turns], 1)
    labels = comparisons(loop.ledger.labels())
    assert bought.tolist() == numbers_of(labels)
    assert [float(label) for turn in turns for label in turn.rows.label[0]] == [each.label for each in labels]


def test_both_are_turned_by_the_function_that_trains_language_models():
    turned = {vars(importlib.import_module(name))["rounds"] for name in ("boldly.runner.execute", "boldly.loop")}
    assert turned == {lab_turns}
    bandit = problem()
    loop, _ = single(bandit, method(bandit), Feedback(bradley_terry()), rounds=1, seed=0)
    assert isinstance(loop, Turns)
    assert isinstance(Repetitions(bandit, method(bandit), 1, [0]), Turns)


@pytest.mark.parametrize("name", sorted(name for name, entry in SELECTORS.items() if not entry.hypotheses))
def test_any_selector_of_language_models_selects_in_the_lab(name):
    from boldly.samplers import n_from_policy

    bandit = problem()
    loop, oracle = single(
        bandit,
        method(bandit, objective=objective("dpo", beta=BETA)),
        Feedback(bradley_terry(scale=3.0)),
        rounds=3,
        seed=0,
        labels_per_round=2,
        selector=SELECTORS[name].function,
        sampler=n_from_policy(n=4),
    )
    for _ in rounds(loop, oracle):
        pass
    bought = [label.query for label in loop.ledger.labels()]
    assert len(bought) == 6
    assert all(query.a.text != query.b.text for query in bought)


def test_a_second_sampler_without_a_name_in_the_loop_is_refused():
    bandit = problem()
    with pytest.raises(InvalidInput, match=r"boldly\.lab\.run"):
        single(bandit, method(bandit, second="history"), Feedback(bradley_terry()), rounds=1, seed=0)


def test_several_instances_are_refused():
    bandit = replace(
        problem(),
        reward=torch.zeros(3, 2, 5, dtype=torch.float64),
        log_reference=torch.full((3, 2, 5), 0.2).double().log(),
    )
    with pytest.raises(InvalidInput, match="3 instances"):
        single(bandit, method(problem()), Feedback(bradley_terry()), rounds=1, seed=0, selector=random_pair)

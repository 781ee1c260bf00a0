"""The table that an objective reads in the lab, against reading every number by hand."""

import pytest
import torch

from boldly.lab.evidence import Rows, log_probs, tabulate

REPETITIONS, POLICIES, PROMPTS, RESPONSES, ROWS = 3, 4, 2, 5, 6


def laws(*leading, seed):
    generator = torch.Generator().manual_seed(seed)
    shape = (*leading, PROMPTS, RESPONSES)
    return torch.randn(shape, generator=generator, dtype=torch.float64).log_softmax(-1)


def rows(seed=0, count=ROWS):
    generator = torch.Generator().manual_seed(seed)
    shape = (REPETITIONS, count)
    number = lambda most: torch.randint(most, shape, generator=generator)  # noqa: E731
    uniform = lambda: torch.rand(shape, generator=generator, dtype=torch.float64)  # noqa: E731
    return Rows(number(PROMPTS), number(RESPONSES), number(RESPONSES), uniform(), uniform())


def test_log_probs_of_one_policy_are_its_entries():
    policy, bought = laws(REPETITIONS, seed=1), rows()
    found = log_probs(policy, bought.prompt, bought.a)
    for i in range(REPETITIONS):
        for j in range(ROWS):
            assert found[i, j] == policy[i, int(bought.prompt[i, j]), int(bought.a[i, j])]


@pytest.mark.parametrize("policies", [(), (POLICIES,)])
def test_the_table_has_a_row_for_each_label_under_each_policy(policies):
    policy, reference, bought = laws(REPETITIONS, *policies, seed=1), laws(REPETITIONS, seed=2), rows()
    length = torch.arange(1.0, RESPONSES + 1, dtype=torch.float64)
    reward = laws(REPETITIONS, seed=3)
    pairs = tabulate(bought, policy, reference, length, reward)
    each = policy.reshape(REPETITIONS, -1, PROMPTS, RESPONSES)
    expected = [
        (
            each[i, k, x, a], each[i, k, x, b], reference[i, x, a], reference[i, x, b], bought.label[i, j],
            bought.weight[i, j], a + 1, b + 1, each[i, k, x, b], reference[i, x, b], reward[i, x, a], reward[i, x, b],
        )
        for i in range(REPETITIONS)
        for k in range(each.shape[1])
        for j in range(ROWS)
        for x, a, b in [(int(bought.prompt[i, j]), int(bought.a[i, j]), int(bought.b[i, j]))]
    ]  # fmt: skip
    found = torch.stack([getattr(pairs, name) for name in pairs.__slots__], -1)
    assert torch.equal(found, torch.tensor(expected, dtype=torch.float64))


def test_one_instance_s_reward_is_everybody_s_and_without_one_there_is_no_column():
    reference, bought, length = laws(REPETITIONS, seed=2), rows(), torch.ones(RESPONSES, dtype=torch.float64)
    shared = laws(seed=3)
    pairs = tabulate(bought, reference, reference, length, shared)
    assert torch.equal(pairs.reward_a, shared[bought.prompt, bought.a].flatten())
    assert tabulate(bought, reference, reference, length).reward_a is None

"""The lab and the language model are one: the same loss and the same gradient for every objective of the registry.

On a model small enough to enumerate, log pi of every answer to every prompt is a table, which is all that the lab sees.
"""

from dataclasses import replace
from functools import partial
from inspect import signature
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from boldly.lab import evidence
from boldly.lm.model import LanguageModel
from boldly.lm.score import log_probs
from boldly.objectives import OBJECTIVES, reduce
from boldly.tables import COLUMNS, compared, tabulate
from tests.lm.conftest import CONTEXT, EOS, PAD, byte_tokenizer, tiny_config
from tests.lm.learners.enumerable import ANSWERS, PROMPTS, VOCABULARY, comparison, moved, policy, slowly

ROWS = 40
OPTIONS = {"beta": 0.4, "alpha": 0.3, "tau": 0.2, "eta": 0.6, "flip": 0.15}
CASES = {name: {} for name in OBJECTIVES} | {
    "vpo, offline": {"sign": -1},
    "vpo, preferred": {"calibration": "preferred"},
    "xpo, floor": {"floor": 0.05},
}


def language_model():
    """A GPT-2 of two layers in float64, whose six tokens are spread far from evenly."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = AutoModelForCausalLM.from_config(tiny_config("gpt2", VOCABULARY, 0.0)).double().eval()
    tokenizer = byte_tokenizer(chat=False, pad_is_eos=False)
    return LanguageModel(module, tokenizer, (EOS,), PAD, CONTEXT, chat=False, adapter=False, directory=Path())


def enumerated(live):
    """log pi(answer | prompt) of every answer to every prompt: a table with the model's graph behind it."""
    table = [[slowly(live.lm, live.lm.module, prompt, answer) for answer in ANSWERS] for prompt in PROMPTS]
    return torch.stack([torch.stack(row) for row in table])


def drawn_rows(generator):
    """Pairs by number with labels drawn, certain and between, and weights; the bonus is on `b`, as the lab has it."""

    def numbers(below):
        return torch.randint(below, (1, ROWS), generator=generator)

    label = torch.tensor([0.0, 1.0, 0.5, 0.3], dtype=torch.float64)[numbers(4)]
    weight = torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64)[numbers(3)]
    return evidence.Rows(numbers(len(PROMPTS)), numbers(len(ANSWERS)), numbers(len(ANSWERS)), label, weight)


@pytest.fixture(scope="module")
def world():
    """A policy away from its reference, both as models and as tables; the same labels as comparisons and as rows."""
    live = policy(language_model())
    reference = live.freeze("iterate-0")
    with torch.no_grad():
        reference_table = enumerated(reference)
    moved(live, scale=0.2)
    rows = drawn_rows(torch.Generator().manual_seed(4))
    reward = torch.randn(reference_table.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    data = [
        comparison(PROMPTS[x], ANSWERS[a], ANSWERS[b], label, sequence=i, explore=ANSWERS[b], weight=weight)
        for i, (x, a, b, label, weight) in enumerate(
            zip(*(getattr(rows, name)[0].tolist() for name in evidence.Rows.__slots__), strict=True)
        )
    ]
    return live, reference, enumerated(live), reference_table, rows, reward, data


def of_the_model(world, objective, columns):
    """Loss and gradient in the parameters, from comparisons by the scoring that training uses."""
    live, reference, _, _, rows, reward, data = world
    answers = [compared(c, columns) for c in data]
    prompts = [c.query.prompt for c, row in zip(data, answers, strict=True) for _ in row]
    responses = [response for row in answers for response in row]
    log_pi = log_probs(live.lm, live.groups(prompts, responses), batch_tokens=64).reshape(ROWS, -1)
    table = tabulate(data, log_pi, reference.log_probs(prompts, responses).reshape(ROWS, -1))
    if columns - COLUMNS:
        worth = {f"reward_{name}": reward[rows.prompt[0], getattr(rows, name)[0]] for name in ("a", "b")}
        table = replace(table, **worth)
    loss = reduce(objective(table), table.weight)
    return loss, torch.autograd.grad(loss.total, parameters(live), allow_unused=True)


def of_the_lab(world, objective):
    """Loss and gradient in log pi, from the tables alone; then that gradient through the model's Jacobian."""
    live, _, log_pi, log_reference, rows, reward, _ = world
    leaf = log_pi.detach()[None].requires_grad_()
    length = torch.tensor([float(len(answer)) for answer in ANSWERS], dtype=torch.float64)
    table = evidence.tabulate(rows, leaf, log_reference[None], length, reward)
    loss = reduce(objective(table), table.weight)
    (slope,) = torch.autograd.grad(loss.total, leaf)
    chained = torch.autograd.grad(log_pi, parameters(live), slope[0], retain_graph=True, allow_unused=True)
    return loss, chained


def parameters(live):
    return [p for p in live.lm.module.parameters() if p.requires_grad]


@pytest.mark.parametrize("case", sorted(CASES))
def test_loss_and_gradient_agree(world, case):
    """To 1e-6 in float64: preference, bonus, and the gradient in every parameter of the model."""
    registered = OBJECTIVES[case.split(",")[0]]
    wanted = signature(registered.function).parameters
    options = {name: value for name, value in OPTIONS.items() if name in wanted} | CASES[case]
    objective = partial(registered.function, **options)
    loss, gradient = of_the_model(world, objective, registered.reads(options))
    expected, chained = of_the_lab(world, objective)
    torch.testing.assert_close(torch.stack(loss), torch.stack(expected), atol=1e-6, rtol=1e-6)
    for mine, theirs in zip(gradient, chained, strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=1e-6)
    assert max(float(g.abs().max()) for g in gradient if g is not None) > 0.01


def test_a_wrong_column_would_be_seen(world):
    """Negative control: the lab's labels turned, and another response under the bonus, both move the loss by far."""
    live, reference, log_pi, log_reference, rows, reward, data = world
    objective = partial(OBJECTIVES["xpo"].function, beta=0.4, alpha=0.3)
    loss, _ = of_the_model(world, objective, OBJECTIVES["xpo"].columns)
    for wrong in (replace(rows, label=1 - rows.label), replace(rows, b=rows.b.roll(1, -1))):
        other, _ = of_the_lab((live, reference, log_pi, log_reference, wrong, reward, data), objective)
        assert (loss.total - other.total).abs() > 1e-2

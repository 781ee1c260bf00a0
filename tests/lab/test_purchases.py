"""How often each pair was bought says the same to an objective as the history: loss and gradient to 1e-12."""

import pytest
import torch

from boldly.lab import objective
from boldly.lab.evidence import Rows, tabulate
from boldly.lab.purchases import Purchases
from boldly.objectives import reduce

REPETITIONS, PROMPTS, RESPONSES = 3, 2, 3
PAIRS = PROMPTS * RESPONSES**2


def bought(labels, generator, *, laws=(0.0, 0.5, 1.0)):
    """A round of rows with labels among `laws`, each repetition its own."""
    shape = (REPETITIONS, labels)
    number = lambda most: torch.randint(most, shape, generator=generator)  # noqa: E731
    label = torch.tensor(laws, dtype=torch.float64)[number(len(laws))]
    return Rows(number(PROMPTS), number(RESPONSES), number(RESPONSES), label, torch.ones_like(label))


def filled(most, rounds):
    generator = torch.Generator().manual_seed(4)
    purchases = Purchases(repetitions=REPETITIONS, prompts=PROMPTS, responses=RESPONSES, most=most)
    given = []
    for labels in rounds:
        given.append(bought(labels, generator))
        purchases.add(given[-1])
    return purchases, given


def joined(given):
    return Rows(*(torch.cat([getattr(rows, name) for rows in given], -1) for name in Rows.__slots__))


@pytest.mark.parametrize("rounds", [[1], [1] * 5, [4, 2, 7], [PAIRS]])
def test_while_labels_are_few_each_is_a_row_in_the_order_it_was_bought(rounds):
    purchases, given = filled(100, rounds)
    rows, history = purchases.rows(), joined(given)
    for name in Rows.__slots__:
        assert torch.equal(getattr(rows, name), getattr(history, name))


@pytest.mark.parametrize(
    ("most", "rounds", "expected"),
    [(PAIRS, [PAIRS], PAIRS), (PAIRS + 1, [PAIRS], PAIRS), (PAIRS + 1, [PAIRS, 1], PAIRS), (500, [200, 300], PAIRS)],
)
def test_there_are_never_more_rows_than_pairs_or_labels(most, rounds, expected):
    purchases, _ = filled(most, rounds)
    assert purchases.rows().label.shape == (REPETITIONS, expected)


def test_counts_are_the_history_s():
    """Each pair's count and mean label against counting in plain Python; a pair never bought has weight 0."""
    purchases, given = filled(500, [100, 150, 3])
    rows, history = purchases.rows(), joined(given)
    for i in range(REPETITIONS):
        seen = {}
        for prompt, a, b, label in zip(
            *(getattr(history, name)[i].tolist() for name in Rows.__slots__[:4]), strict=True
        ):
            seen.setdefault((prompt, a, b), []).append(label)
        for prompt, a, b, label, weight in zip(
            *(getattr(rows, name)[i].tolist() for name in Rows.__slots__), strict=True
        ):
            labels = seen.pop((prompt, a, b), [])
            assert weight == len(labels)
            assert label == pytest.approx(sum(labels) / len(labels) if labels else 0.5)
        assert not seen


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dpo", {"beta": 0.3}),
        ("ipo", {"tau": 0.2}),
        ("xpo", {"beta": 0.3, "alpha": 0.05}),
        ("selm", {"beta": 0.3, "alpha": 0.05}),
        ("vpo", {"beta": 0.3, "alpha": 0.05, "sign": -1}),
        ("se_popo", {"beta": 0.3, "alpha": 0.05}),
    ],
)
def test_counts_equal_the_history_in_loss_and_gradient(name, options):
    purchases, given = filled(500, [100, 150, 3])
    generator = torch.Generator().manual_seed(9)
    shape = (REPETITIONS, PROMPTS, RESPONSES)
    logits = torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
    reference = torch.randn(shape, generator=generator, dtype=torch.float64).log_softmax(-1)
    length = torch.arange(1.0, RESPONSES + 1, dtype=torch.float64)

    def loss_and_gradient(rows):
        pairs = tabulate(rows, logits.log_softmax(-1), reference, length)
        loss = reduce(objective(name, **options)(pairs), pairs.weight).total
        return loss, torch.autograd.grad(loss, logits)[0]

    (loss, gradient), (expected, slope) = (loss_and_gradient(rows) for rows in (purchases.rows(), joined(given)))
    assert torch.allclose(loss, expected, rtol=0, atol=1e-12)
    assert torch.allclose(gradient, slope, rtol=0, atol=1e-12)
    assert float(slope.abs().max()) > 1e-3

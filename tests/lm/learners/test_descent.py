"""Steps that are taken whole or not at all, against torch's own AdamW."""

import logging
from copy import deepcopy

import pytest
import torch

from boldly.errors import BoldlyError
from boldly.lm.learners.descent import Descent
from boldly.objectives import Loss

LABELS = (4, 7)
PEBIBYTES = 2**50
ROWS = 8


def small_module(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 1))
    return layers.double()


def rows(seed):
    return torch.randn(ROWS, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def row_losses(module, inputs):
    """What is averaged over the rows: a preference term and a bonus."""
    output = module(inputs).squeeze(1)
    return (output - 1.0) ** 2, 0.1 * output


def of(module, inputs):
    """The micro-batches of a step: a token is a row, so `batch_tokens` rows at once, and all of them if it is large."""

    def losses(batch_tokens):
        for part in inputs.split(batch_tokens):
            preference, bonus = (term.sum() / len(inputs) for term in row_losses(module, part))
            yield Loss(preference + bonus, preference, bonus)

    return losses


def just(preference, bonus=None):
    bonus = torch.zeros_like(preference) if bonus is None else bonus
    return lambda batch_tokens: iter([Loss(preference + bonus, preference, bonus)])


def weights(module):
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def assert_same_bits(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def first(module):
    return module[0].weight


BAD = {
    "the loss is nan": lambda m: just(first(m).sum() * float("nan")),
    "the loss is inf": lambda m: just(first(m).sum() * 0 + float("inf")),
    "the loss is -inf": lambda m: just(first(m).sum() * 0 - float("inf")),
    "the bonus is nan": lambda m: just(first(m).sum(), first(m).sum() * float("nan")),
    "the bonus is -inf": lambda m: just(first(m).sum(), first(m).sum() * 0 - float("inf")),
    "the gradient norm is nan": lambda m: just((first(m) * 0).sqrt().sum()),
    "the gradient norm is inf": lambda m: just((first(m) - first(m).detach()).sqrt().sum()),
}


@pytest.mark.parametrize("reason", sorted(BAD))
@pytest.mark.parametrize("good_before", [0, 2])
def test_a_step_that_is_not_finite_leaves_no_trace(reason, good_before, caplog):
    """Weights and moments keep their bits, and the next good step is the one that would have come without it."""
    ends = []
    for bad in (True, False):
        module = small_module()
        descent = Descent(0.01)
        for seed in range(good_before):
            assert descent.step(module, of(module, rows(seed)), LABELS).taken
        if bad:
            before, moments = weights(module), descent.state()
            with caplog.at_level(logging.WARNING):
                report = descent.step(module, BAD[reason](module), LABELS)
            assert not report.taken
            assert report.reason == reason
            assert report.labels == LABELS
            assert str(list(LABELS)) in caplog.text
            assert_same_bits(weights(module), before)
            assert_same_bits(descent.state(), moments)
            assert all(p.grad is None for p in module.parameters())
        assert descent.step(module, of(module, rows(9)), LABELS).taken
        ends.append((weights(module), descent.state()))
    assert_same_bits(ends[0][0], ends[1][0])
    assert_same_bits(ends[0][1], ends[1][1])


@pytest.mark.parametrize("clip", [1e-3, 0.5, 1e3])
def test_steps_are_those_of_torchs_own_adamw_with_clipping(clip):
    """Four steps at changing rates; the norm that is reported is the one before the clip."""
    module = small_module()
    own = deepcopy(module)
    descent = Descent(0.01, clip)
    optimiser = torch.optim.AdamW(own.parameters(), lr=0.01, betas=(0.9, 0.98), weight_decay=0.0)
    for seed, rate in enumerate((1.0, 1.0, 0.5, 0.1)):
        report = descent.step(module, of(module, rows(seed)), LABELS, rate)
        optimiser.zero_grad()
        preference, bonus = (term.mean() for term in row_losses(own, rows(seed)))
        (preference + bonus).backward()
        norm = torch.nn.utils.clip_grad_norm_(own.parameters(), clip)
        optimiser.param_groups[0]["lr"] = 0.01 * rate
        optimiser.step()
        assert report.gradient_norm == pytest.approx(float(norm), rel=1e-12)
        assert report.preference == pytest.approx(float(preference.detach()), rel=1e-12)
        assert report.bonus == pytest.approx(float(bonus.detach()), rel=1e-12)
        assert report.taken
        for p, q in zip(module.parameters(), own.parameters(), strict=True):
            torch.testing.assert_close(p, q, atol=1e-14, rtol=1e-12)
    assert report.gradient_norm > 1e-3


def test_what_is_frozen_or_unused_is_left_alone():
    module = small_module()
    module[2].requires_grad_(False)
    module.register_parameter("unused", torch.nn.Parameter(torch.ones(3, dtype=torch.float64)))
    before = weights(module)
    descent = Descent(0.1)
    assert descent.step(module, of(module, rows(0)), LABELS).taken
    changed = {name for name, weight in weights(module).items() if not torch.equal(weight, before[name])}
    assert changed == {"0.weight", "0.bias"}
    assert {name.rsplit("/", 1)[0] for name in descent.state()} == changed


@pytest.mark.parametrize("batch_tokens", [1, 3, 8, 100])
def test_micro_batches_change_nothing(batch_tokens):
    """The weighted mean over all rows is the same however they are cut: to 1e-12 in float64."""
    whole, parts = small_module(), small_module()
    one, other = Descent(0.01), Descent(0.01, batch_tokens=batch_tokens)
    for seed in range(3):
        a = one.step(whole, of(whole, rows(seed)), LABELS)
        b = other.step(parts, of(parts, rows(seed)), LABELS)
        assert b.gradient_norm == pytest.approx(a.gradient_norm, rel=1e-12)
        assert (b.preference, b.bonus) == pytest.approx((a.preference, a.bonus), rel=1e-12)
    for p, q in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(p, q, atol=1e-12, rtol=0)


def scarce(losses, most, *, after=0, seen=None):
    """`losses` on a machine that has memory for `most` tokens, noticed after `after` micro-batches."""

    def limited(batch_tokens):
        seen.append(batch_tokens) if seen is not None else None
        for i, loss in enumerate(losses(batch_tokens)):
            if batch_tokens > most and i >= after:
                raise torch.OutOfMemoryError("CUDA out of memory")
            yield loss

    return limited


@pytest.mark.parametrize("after", [0, 1])
def test_what_does_not_fit_is_tried_again_in_halves_with_the_same_gradient(after, caplog):
    """Out of memory at once, or after a first micro-batch whose gradient must not be counted twice."""
    inputs = torch.cat([rows(seed) for seed in range(40)])
    free, tight = small_module(), small_module()
    a = Descent(0.01).step(free, of(free, inputs), LABELS)
    descent, seen = Descent(0.01, batch_tokens=256), []
    with caplog.at_level(logging.WARNING):
        b = descent.step(tight, scarce(of(tight, inputs), 64, after=after, seen=seen), LABELS)
    assert seen == [256, 128, 64]
    assert "64" in caplog.text
    assert b.taken
    assert b.gradient_norm == pytest.approx(a.gradient_norm, rel=1e-12)
    assert (b.preference, b.bonus) == pytest.approx((a.preference, a.bonus), rel=1e-12)
    for p, q in zip(free.parameters(), tight.parameters(), strict=True):
        torch.testing.assert_close(p, q, atol=1e-12, rtol=0)
    descent.step(tight, scarce(of(tight, inputs), 64, seen=seen), LABELS)
    assert seen == [256, 128, 64, 64]


def test_a_response_that_never_fits_ends_with_the_line_to_write_and_changes_nothing():
    module = small_module()
    before = weights(module)
    descent, seen = Descent(0.01), []
    with pytest.raises(BoldlyError, match=r"generation\.max_tokens.*adapter: \{rank: 16\}") as raised:
        descent.step(module, scarce(of(module, rows(0)), 0, seen=seen), LABELS)
    assert isinstance(raised.value.__cause__, torch.OutOfMemoryError)
    assert seen == [1024, 512, 256, 128, 64, 32]
    assert_same_bits(weights(module), before)


def test_another_error_is_not_taken_for_a_lack_of_memory():
    def broken(batch_tokens):
        raise RuntimeError("a fault of ours")
        yield

    with pytest.raises(RuntimeError, match="a fault of ours"):
        Descent(0.01).step(small_module(), broken, LABELS)


def test_a_restored_descent_goes_on_with_the_same_bits():
    module, descent = small_module(), Descent(0.01)
    for seed in range(2):
        descent.step(module, of(module, rows(seed)), LABELS)
    copy, resumed = deepcopy(module), Descent(0.01)
    resumed.restore(descent.state())
    assert_same_bits(resumed.state(), descent.state())
    afresh, forgetful = deepcopy(module), Descent(0.01)
    for m, d in ((module, descent), (copy, resumed), (afresh, forgetful)):
        d.step(m, of(m, rows(2)), LABELS)
    assert_same_bits(weights(copy), weights(module))
    assert_same_bits(resumed.state(), descent.state())
    assert not torch.equal(first(afresh), first(module))


def test_a_state_that_was_handed_out_no_longer_changes():
    """An archive may keep it as it is, and two runs may go on from one."""
    module, descent = small_module(), Descent(0.01)
    descent.step(module, of(module, rows(0)), LABELS)
    state = descent.state()
    kept = deepcopy(state)
    copy, resumed = deepcopy(module), Descent(0.01)
    resumed.restore(state)
    descent.step(module, of(module, rows(1)), LABELS)
    assert_same_bits(state, kept)
    resumed.step(copy, of(copy, rows(1)), LABELS)
    assert_same_bits(state, kept)


def test_restoring_puts_what_was_learned_since_aside():
    module, descent = small_module(), Descent(0.01)
    descent.step(module, of(module, rows(0)), LABELS)
    state, start = descent.state(), deepcopy(module.state_dict())
    ends = []
    for _ in range(2):
        module.load_state_dict(start)
        descent.restore(state)
        descent.step(module, of(module, rows(1)), LABELS)
        ends.append(weights(module))
    assert_same_bits(ends[0], ends[1])


def test_moments_that_do_not_fit_say_what_to_change(monkeypatch):
    module, inputs = small_module(), rows(0)
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda _: torch.empty(PEBIBYTES))
    with pytest.raises(
        BoldlyError, match=r"AdamW keeps of each trained weight doesn't fit into memory: train an adapter"
    ):
        Descent(1e-3).step(module, of(module, inputs), LABELS)

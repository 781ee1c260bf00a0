"""Parameters of lower precision are trained as if they had 32 bits, against torch's own AdamW."""

from copy import deepcopy

import pytest
import torch

from boldly.lm.adapter import Adapter, adapted
from boldly.lm.learners.descent import Descent
from boldly.objectives import Loss
from tests.lm.conftest import Loader

LABELS = (0,)


def sides(dtype):
    """A module with weights near 1 in `dtype`, and inputs."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
        for p in module.parameters():
            torch.nn.init.uniform_(p, 1.0, 1.9)
        return module.to(torch.bfloat16).to(dtype), torch.randn(64, 8)


def towards(module, direction):
    """A loss whose gradient is `direction` in every weight, in any dtype: sum of d w over the parameters."""

    def losses(batch_tokens):
        total = sum((direction * p).sum() for p in module.parameters())
        yield Loss(total, total, 0 * total)

    return losses


def test_a_thousand_small_updates_are_kept_that_bfloat16_alone_loses():
    """Each moves a weight by 1e-4 of itself, a fortieth of half the distance to its bfloat16 neighbour."""
    exact, _ = sides(torch.float32)
    stored, _ = sides(torch.bfloat16)
    lost = deepcopy(stored)
    start = [p.detach().clone() for p in stored.parameters()]
    plain = torch.optim.AdamW(lost.parameters(), lr=1e-4, betas=(0.9, 0.98), weight_decay=0.0)
    one, other = Descent(1e-4), Descent(1e-4)
    for _ in range(1000):
        one.step(exact, towards(exact, 1.0), LABELS)
        other.step(stored, towards(stored, 1.0), LABELS)
        plain.zero_grad()
        sum(p.sum() for p in lost.parameters()).backward()
        plain.step()
    for p, q, r, s in zip(exact.parameters(), stored.parameters(), lost.parameters(), start, strict=True):
        assert torch.equal(q, p.to(torch.bfloat16))
        assert (q.float() - s.float()).abs().min() > 0.09
        assert torch.equal(r, s)


def test_gradients_of_micro_batches_add_up_in_float32():
    """256 gradients of 1 after one of 256: bfloat16 would stay at 256, as 257 is none of its numbers."""
    weight = torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    module = torch.nn.Module()
    module.weight = weight

    def losses(batch_tokens):
        for size in (256.0, *[1.0] * 256):
            total = (size * weight).sum()
            yield Loss(total, total, 0 * total)

    report = Descent(1e-3).step(module, losses, LABELS)
    assert report.gradient_norm == pytest.approx(1024.0, rel=1e-6)
    assert weight.grad is None


def random_steps(module, descent, seeds, inputs):
    for seed in seeds:
        noise = torch.randn(len(inputs), generator=torch.Generator().manual_seed(seed))

        def losses(batch_tokens, noise=noise):
            total = ((module(inputs.to(module[0].weight)).squeeze(1).float() - noise) ** 2).mean()
            yield Loss(total, total, 0 * total)

        assert descent.step(module, losses, LABELS).taken


def test_a_resumed_run_equals_one_that_never_stopped():
    module, inputs = sides(torch.bfloat16)
    descent = Descent(1e-4)
    random_steps(module, descent, range(5), inputs)
    copy, resumed = deepcopy(module), Descent(1e-4)
    resumed.restore(descent.state())
    assert {name.rsplit("/")[-1] for name in descent.state()} == {"exp_avg", "exp_avg_sq", "master", "step"}
    random_steps(module, descent, range(5, 30), inputs)
    random_steps(copy, resumed, range(5, 30), inputs)
    assert all(torch.equal(p, q) for p, q in zip(module.parameters(), copy.parameters(), strict=True))
    one, other = descent.state(), resumed.state()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_state_from_before_there_were_masters_still_goes_on():
    """Its moments have the parameters' precision; masters begin as the parameters are."""
    module, inputs = sides(torch.bfloat16)
    descent = Descent(1e-4)
    random_steps(module, descent, range(3), inputs)
    old = {
        name: value if name.endswith("step") else value.to(torch.bfloat16)
        for name, value in descent.state().items()
        if not name.endswith("/master")
    }
    resumed = Descent(1e-4)
    resumed.restore(old)
    before = [p.detach().clone() for p in module.parameters()]
    random_steps(module, resumed, range(3, 200), inputs)
    assert all(value.dtype == torch.float32 for value in resumed.state().values())
    assert any(not torch.equal(p, q) for p, q in zip(module.parameters(), before, strict=True))


def test_masters_of_other_weights_are_not_taken():
    module, inputs = sides(torch.bfloat16)
    descent = Descent(1e-4)
    random_steps(module, descent, range(2), inputs)
    with torch.no_grad():
        module[0].weight.mul_(2)
    moved, resumed = module[0].weight.detach().clone(), Descent(1e-4)
    resumed.restore(descent.state())
    random_steps(module, resumed, range(2, 3), inputs)
    assert torch.allclose(module[0].weight, moved, rtol=0.01)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_fused_step_is_the_plain_one(dtype):
    """Twenty steps of torch's unfused AdamW: to 1e-5 in float32 and 1e-12 in float64."""
    module, inputs = sides(dtype)
    own = deepcopy(module)
    optimiser = torch.optim.AdamW(own.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0, foreach=False)
    descent = Descent(1e-3, clip=1e9)
    random_steps(module, descent, range(20), inputs)
    for seed in range(20):
        noise = torch.randn(len(inputs), generator=torch.Generator().manual_seed(seed))
        optimiser.zero_grad()
        ((own(inputs.to(dtype)).squeeze(1).float() - noise) ** 2).mean().backward()
        optimiser.step()
    assert descent._optimiser is not None
    assert descent._optimiser.defaults["fused"]
    rtol = 1e-5 if dtype == torch.float32 else 1e-12
    for p, q in zip(module.parameters(), own.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=rtol, atol=rtol)


def test_parameters_of_32_bits_are_their_own_masters():
    module, inputs = sides(torch.float32)
    descent = Descent(1e-3)
    random_steps(module, descent, range(1), inputs)
    assert not any(name.endswith("/master") for name in descent.state())


def test_adapters_over_a_bfloat16_base_have_32_bits(language_model: Loader):
    lm = language_model("llama", dtype=torch.bfloat16)
    module = adapted(lm.module, Adapter(rank=2))
    trained = {p.dtype for p in module.parameters() if p.requires_grad}
    assert trained == {torch.float32}
    assert {p.dtype for p in module.parameters() if not p.requires_grad} == {torch.bfloat16}
    before = [p.detach().clone() for p in module.parameters() if p.requires_grad]

    def losses(batch_tokens):
        total = module(input_ids=torch.tensor([[3, 4, 5, 6]])).logits.float().square().mean()
        yield Loss(total, total, 0 * total)

    assert Descent(1e-6).step(module, losses, LABELS).taken
    after = [p for p in module.parameters() if p.requires_grad]
    assert sum(not torch.equal(p, q) for p, q in zip(before, after, strict=True)) >= len(after) // 2

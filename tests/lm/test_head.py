"""The fused output layer, against the same in autograd's own steps."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from boldly.lm import score
from boldly.lm.head import head_log_probs
from boldly.lm.pack import Group
from boldly.lm.score import log_probs


def given(*, dtype=torch.float64, bias=True, trained=True, tokens=7, channels=5, vocabulary=11, scale=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    head = nn.Linear(channels, vocabulary, bias=bias, dtype=dtype).requires_grad_(trained)
    with torch.no_grad():
        for p in head.parameters():
            p.copy_(torch.randn(p.shape, generator=generator))
    inputs = (scale * torch.randn(tokens, channels, generator=generator)).to(dtype).requires_grad_()
    targets = torch.randint(vocabulary, (tokens,), generator=generator)
    return head, inputs, targets, torch.randn(tokens, generator=generator)


def plain(head, inputs, targets):
    logits = score.accurate(head(inputs))
    return logits.log_softmax(1).gather(1, targets[:, None]).squeeze(1)


def differentiated(function, head, inputs, targets, upstream):
    values = function(head, inputs, targets)
    leaves = [inputs, *(p for p in head.parameters() if p.requires_grad)]
    return values.detach(), torch.autograd.grad((values * upstream.to(values)).sum(), leaves)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("scale", [0.01, 1.0, 1e3])
def test_values_and_gradients_are_exact(bias, trained, scale):
    case = given(bias=bias, trained=trained, scale=scale)
    values, gradients = differentiated(head_log_probs, *case)
    expected, truth = differentiated(plain, *case)
    torch.testing.assert_close(values, expected, atol=1e-12, rtol=1e-12)
    assert len(gradients) == 1 + trained * (1 + bias)
    for own, true in zip(gradients, truth, strict=True):
        torch.testing.assert_close(own, true, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("only", ["weight", "bias"])
def test_what_is_not_trained_gets_no_gradient(only):
    head, inputs, targets, upstream = given()
    for name, p in head.named_parameters():
        p.requires_grad_(name == only)
    inputs = inputs.detach()
    (head_log_probs(head, inputs, targets) * upstream).sum().backward()
    own = {name: p.grad for name, p in head.named_parameters()}
    head.zero_grad()
    (plain(head, inputs, targets) * upstream).sum().backward()
    for name, p in head.named_parameters():
        assert (own[name] is None) == (p.grad is None) == (name != only)
    torch.testing.assert_close(own[only], getattr(head, only).grad, atol=1e-12, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("trained", [True, False])
def test_rounding_is_no_worse_than_autograds(dtype, trained):
    """Squared distance from float64's gradients over 20 heads, beside that of the same steps in autograd."""
    ours = autograds = 0.0
    for seed in range(20):
        head, inputs, targets, upstream = given(dtype=dtype, trained=trained, tokens=40, vocabulary=50, seed=seed)
        exact = nn.Linear(5, 50, dtype=torch.float64).requires_grad_(trained)
        exact.load_state_dict({name: w.double() for name, w in head.state_dict().items()})
        truth = differentiated(plain, exact, inputs.detach().double().requires_grad_(), targets, upstream)[1]
        for true, own, other in zip(
            truth,
            differentiated(head_log_probs, head, inputs, targets, upstream)[1],
            differentiated(plain, head, inputs, targets, upstream)[1],
            strict=True,
        ):
            assert own.dtype == dtype
            ours += float((own.double() - true).square().sum())
            autograds += float((other.double() - true).square().sum())
    assert ours < 1.3 * autograds


def largest(function, head, inputs, targets, upstream):
    """How many numbers of [tokens, vocabulary] matrices autograd holds between the passes."""
    held = []

    def pack(tensor):
        held.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        function(head, inputs, targets)
    return sum(tensor.numel() for tensor in held if tensor.shape == (len(inputs), head.out_features))


def test_one_matrix_is_kept_and_none_of_a_frozen_head():
    sizes = {"tokens": 7, "vocabulary": 11}
    assert largest(head_log_probs, *given(**sizes)) == 77
    assert largest(head_log_probs, *given(trained=False, **sizes)) == 0


@pytest.mark.parametrize("lora", [None, 0.3])
@pytest.mark.parametrize("chunk", [2**24, 300 * 4])
def test_scores_of_a_model_do_not_depend_on_chunks(language_model, kind, lora, chunk, monkeypatch):
    """Values and every gradient, in float64, with the output layer tied or not, trained or frozen."""
    lm = language_model(kind, dtype=torch.float64, lora=lora)
    groups = [Group((1, 5, 9), ((7, 8, 9, 2), (4, 2))), Group((1, 6), ((3, 3, 3, 3, 3),))]
    trained = [p for p in lm.module.parameters() if p.requires_grad]

    def result():
        values = log_probs(lm, groups, batch_tokens=1000)
        return values.detach(), torch.autograd.grad(values @ torch.tensor([1.0, -2.0, 0.5]).double(), trained)

    monkeypatch.setattr(score, "_is_linear", lambda project: False)
    expected, truth = result()
    monkeypatch.undo()
    monkeypatch.setattr(score, "CHUNK_LOGITS", chunk)
    values, gradients = result()
    torch.testing.assert_close(values, expected, atol=1e-11, rtol=0)
    for own, true in zip(gradients, truth, strict=True):
        torch.testing.assert_close(own, true, atol=1e-11, rtol=1e-9)


def test_a_broken_head_says_so(language_model):
    lm = language_model()
    lm = replace(lm)
    with torch.no_grad():
        lm.module.lm_head.weight[7] = torch.nan
    assert not bool(log_probs(lm, [Group((1, 5), ((6, 7),))], batch_tokens=100).isfinite().any())


def test_the_kept_matrix_is_used_once():
    head, inputs, targets, _ = given()
    total = head_log_probs(head, inputs, targets).sum()
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="inplace operation"):
        total.backward()

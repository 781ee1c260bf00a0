"""Activations that are computed twice give the same gradients, and nothing but training is touched."""

import pytest
import torch

from boldly.errors import ModelError
from boldly.lm.footprint import Counting
from boldly.lm.model import Generation
from boldly.lm.pack import Group
from boldly.lm.recompute import recompute
from boldly.lm.sampling import Voice, sample
from boldly.lm.score import log_probs
from tests.lm.conftest import Loader

GROUPS = [Group((1, 7, 9), ((11, 12, 13, 2), (14, 2))), Group((1, 8), ((20, 21, 22, 23, 24), (25, 26)))]


def gradients(lm):
    lm.module.train()
    log_probs(lm, GROUPS, batch_tokens=100).square().sum().backward()
    return {name: p.grad for name, p in lm.module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("lora", [None, 0.1])
def test_gradients_are_the_same_to_the_bit(language_model: Loader, kind: str, lora: float | None):
    plain, twice = (language_model(kind, dtype=torch.float64, lora=lora) for _ in range(2))
    recompute(twice.module)
    one, other = gradients(plain), gradients(twice)
    assert one.keys() == other.keys()
    assert one
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(bool(g.any()) for g in one.values())


def test_training_holds_less(language_model: Loader):
    """Beside the model itself."""
    peaks = []
    for twice in (False, True):
        lm = language_model("llama")
        if twice:
            recompute(lm.module)
        with Counting() as count:
            gradients(lm)
            peaks.append(count.peak)
    assert peaks[1] < 0.8 * peaks[0]


def test_sampling_and_scoring_run_each_layer_as_often_as_before(language_model: Loader):
    """Calls of the layers, draws and log-probabilities are those of the same model without."""
    seen = []
    for twice in (False, True):
        lm, calls = language_model("llama"), [0]
        if twice:
            recompute(lm.module)
        lm.module.train()

        def noted(*_, calls=calls):
            calls[0] += 1

        for layer in lm.module.base_model.layers:
            layer.register_forward_hook(noted)
        voice = Voice(lm, 2, torch.Generator().manual_seed(3))
        drawn = sample([voice], [[1, 5, 6], [1, 7]], generation=Generation(max_tokens=8, engine="plain"))
        lm.module.eval()
        with torch.no_grad():
            scores = log_probs(lm, GROUPS, batch_tokens=100)
        seen.append((calls[0], drawn, scores.tolist()))
    assert seen[0] == seen[1]


def test_a_model_that_can_not_says_what_to_write(language_model: Loader, monkeypatch: pytest.MonkeyPatch):
    lm = language_model("llama")
    monkeypatch.setattr(type(lm.module), "supports_gradient_checkpointing", False)
    with pytest.raises(ModelError, match="write `checkpointing: false`"):
        recompute(lm.module)

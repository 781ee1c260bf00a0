from pathlib import Path

import pytest
import torch

from boldly.lm.engines.pushing import Adapters, fingerprint, own_weights, worn_adapter, write_weights
from boldly.lm.files import read_adapter
from boldly.lm.load import read_module
from boldly.lm.model import Generation
from boldly.lm.policy import LMPolicy
from boldly.lm.sampling import Voice


def voice(policy: LMPolicy) -> Voice:
    return Voice(policy.lm, 1, torch.Generator(), policy.in_place)


def policy(lm, name="live") -> LMPolicy:
    return LMPolicy(name, lm, Generation())


def learn(lm) -> None:
    with torch.no_grad():
        next(p for name, p in lm.module.named_parameters() if "lora_B" in name)[0, 0] += 1e-3


def test_a_voice_wears_its_own_adapter(language_model):
    live = policy(language_model(lora=0.3))
    old = live.freeze("old")
    learn(live.lm)
    assert fingerprint(worn_adapter(voice(old)).weights) == fingerprint(old.adapter.weights)
    assert fingerprint(worn_adapter(voice(live)).weights) == fingerprint(live.freeze("new").adapter.weights)
    assert fingerprint(old.adapter.weights) != fingerprint(live.freeze("new").adapter.weights)


def test_an_adapter_that_changes_nothing_is_none(language_model, tmp_path: Path):
    """The base is such a one, beside a live policy that has learned since and lends it the module."""
    live = policy(language_model(lora=0.0))
    base, adapters = live.freeze("iterate-0"), Adapters(tmp_path)
    assert adapters.of(voice(live)) is None
    learn(live.lm)
    assert adapters.of(voice(base)) is None
    assert adapters.of(voice(live)) is not None
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_equal_adapters_have_one_number_and_no_number_comes_twice(language_model, tmp_path: Path):
    live, adapters = policy(language_model(lora=0.3)), Adapters(tmp_path)
    first = adapters.of(voice(live))
    assert adapters.of(voice(live.freeze("iterate-1"))) == first
    old = live.freeze("iterate-1")
    learn(live.lm)
    second = adapters.of(voice(live))
    assert (first.number, second.number) == (1, 2)
    assert adapters.forget_but([2]) == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["2"]
    assert adapters.of(voice(old)).number == 3
    assert adapters.forget_but([2, 3]) == []


def test_what_is_written_is_the_adapter(language_model, tmp_path: Path):
    live = policy(language_model(lora=0.3))
    written = Adapters(tmp_path).of(voice(live))
    read = read_adapter(live.lm.module, written.folder)
    assert fingerprint(read.weights) == fingerprint(worn_adapter(voice(live)).weights)


def test_what_is_written_are_all_weights(language_model, tmp_path: Path):
    live = policy(language_model())
    with torch.no_grad():
        next(live.lm.module.parameters()).mul_(2)
    write_weights(voice(live), tmp_path)
    read = read_module(tmp_path, dtype=torch.float32, device=torch.device("cpu"))
    assert fingerprint(read.state_dict()) == fingerprint(own_weights(voice(live)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_a_fingerprint_sees_every_change(dtype):
    """The smallest change of one weight, two that change places, a shape, a name; in tensors of random numbers, and of
    one number throughout as after a first step of Adam.
    """
    seen = set()
    for seed in range(40):
        generator = torch.Generator().manual_seed(seed)
        weight = (
            torch.randn(5, 3, generator=generator).to(dtype)
            if seed < 20
            else torch.full((5, 3), seed * 1e-3, dtype=dtype)
        )
        assert fingerprint({"a": weight}) == fingerprint({"a": weight.clone()})
        other, swapped = weight.clone(), weight.clone()
        other[seed % 5, seed % 3] = torch.nextafter(other[seed % 5, seed % 3], torch.tensor(9.0, dtype=dtype))
        swapped[:2] = other[[1, 0]]
        changed = [weight, other, weight.reshape(3, 5), *([swapped] if seed < 20 else [])]
        seen |= {fingerprint({"a": each}) for each in changed} | {fingerprint({"b": weight})}
    assert len(seen) == 20 * 5 + 20 * 4


def test_a_fingerprint_is_of_the_values_wherever_they_lie():
    buffer = torch.randn(3 * 2**20 + 7).bfloat16()
    assert fingerprint({"a": buffer[1:]}) == fingerprint({"a": buffer[1:].clone()})
    assert fingerprint({"a": buffer[:12].view(3, 4).T}) == fingerprint({"a": buffer[:12].view(3, 4).T.contiguous()})
    later = buffer.clone()
    later[3 * 2**20] += 1
    assert fingerprint({"a": buffer}) != fingerprint({"a": later})

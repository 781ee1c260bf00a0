"""Which micro-batch is chosen, and when activations are computed twice."""

from dataclasses import replace

import pytest
import torch
from transformers import LlamaConfig, LlamaPreTrainedModel

from boldly.errors import ConfigError
from boldly.lm.adapter import Adapter
from boldly.lm.footprint import Fit, Work, fit, footprint, sketch

CPU = torch.device("cpu")
CONFIG = LlamaConfig(
    hidden_size=64,
    intermediate_size=160,
    num_hidden_layers=4,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=100,
    max_position_embeddings=1024,
)
WORK = Work(prompt=200, response=200, compared=2, batch=4, drawn=1, prompts=1)


def sketched(checkpointing: bool):
    return sketch(CONFIG, dtype=torch.float32, checkpointing=checkpointing)


def fitted(room: int, choices: list[bool]) -> Fit:
    return fit(sketched, WORK, train_tokens=4096, sample_tokens=4096, checkpointing=choices, device=CPU, room=room)


def least(checkpointing: bool) -> int:
    found = footprint(sketched(checkpointing), WORK, train_tokens=64, sample_tokens=64, device=CPU)
    return found.peak


def test_the_largest_half_that_fits_is_taken():
    whole = fitted(2**40, [False, True])
    assert (whole.train_tokens, whole.checkpointing) == (4096, False)
    less = fitted(whole.footprint.peak - 1, [False])
    assert less.train_tokens < 4096
    assert less.footprint.peak < whole.footprint.peak


def test_activations_are_computed_twice_where_one_pair_does_not_fit_otherwise():
    room = (least(False) + least(True)) // 2
    assert least(True) < room < least(False)
    assert fitted(room, [False, True]).checkpointing
    with pytest.raises(ConfigError, match="`checkpointing: auto`"):
        fitted(room, [False])


@pytest.mark.parametrize("can", [True, False])
def test_only_a_model_that_can_is_told_to_compute_activations_twice(can: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(LlamaPreTrainedModel, "supports_gradient_checkpointing", can)
    with pytest.raises(ConfigError) as refused:
        fitted(1000, [False])
    assert ("`checkpointing: auto`" in str(refused.value)) == can


def test_what_is_left_to_write_is_one_list():
    def one(checkpointing: bool):
        return sketch(CONFIG, dtype=torch.float32, adapter=Adapter(rank=4), checkpointing=checkpointing)

    with pytest.raises(ConfigError, match=r": write `model: PATH` with a smaller model\.$"):
        fit(
            one,
            replace(WORK, response=1),
            train_tokens=64,
            sample_tokens=64,
            checkpointing=[True],
            device=CPU,
            room=1000,
        )


def test_training_is_halved_whatever_the_batches_of_sampling():
    def found(room: int) -> Fit:
        return fit(sketched, WORK, train_tokens=4096, sample_tokens=32, checkpointing=[False], device=CPU, room=room)

    less = found(found(2**40).footprint.peak - 1)
    assert (less.train_tokens < 4096, less.sample_tokens) == (True, 32)


def test_what_can_not_fit_at_all_is_refused_with_its_parts():
    with pytest.raises(ConfigError, match=r"GB at least.*for the weights.*`adapter: \{rank: 16\}`.*max_tokens: 100"):
        fitted(
            footprint(sketched(True), replace(WORK, frozen=1), train_tokens=64, sample_tokens=64, device=CPU).held,
            [True],
        )

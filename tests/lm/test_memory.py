"""Where memory runs out the same comes out, in smaller batches."""

import pytest
import torch

from boldly.errors import BoldlyError
from boldly.lm import policy as policy_module
from boldly.lm.memory import within_memory
from boldly.lm.model import Generation
from boldly.lm.policy import LMPolicy
from boldly.types import Prompt


def scarce(room, calls):
    def work(batch_tokens):
        calls.append(batch_tokens)
        if batch_tokens > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return batch_tokens

    return work


def test_batches_are_halved_until_they_fit():
    calls = []
    assert within_memory(scarce(300, calls), 1024, what="it") == 256
    assert calls == [1024, 512, 256]


def test_what_never_fits_says_what_to_change():
    calls = []
    with pytest.raises(BoldlyError, match="it doesn't fit into memory: lower"):
        within_memory(scarce(0, calls), 256, what="it")
    assert calls == [256, 128, 64, 32]


def test_other_errors_are_not_tried_again():
    with pytest.raises(ZeroDivisionError):
        within_memory(lambda batch_tokens: 1 // 0, 256, what="it")


def limited(function, room, batch_tokens_of):
    """`function`, out of memory for batches of more than `room` tokens."""

    def call(*args, **kwargs):
        if batch_tokens_of(kwargs) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return function(*args, **kwargs)

    return call


def test_sampling_scoring_and_describing_survive_it(language_model, monkeypatch):
    policy = LMPolicy("iterate-0", language_model("llama"), Generation(max_tokens=6, batch_tokens=512))
    prompts = [Prompt(f"{word} {other}") for word in ("one", "two") for other in ("three", "four", "five")]

    def everything():
        drawn = policy.sample(prompts, 3, seed=5)
        flat = [(prompt, response) for prompt, row in zip(prompts, drawn, strict=True) for response in row]
        pairs = [prompt for prompt, _ in flat], [response for _, response in flat]
        return drawn, policy.log_probs(*pairs), policy.describe(*pairs)

    drawn, log_probs, described = everything()
    draws = limited(policy_module.engine("auto"), 64, lambda given: given["generation"].batch_tokens)
    monkeypatch.setattr(policy_module, "engine", lambda name: draws)
    for name, batch_tokens_of in (
        ("log_probs", lambda given: given["batch_tokens"]),
        ("features", lambda given: given["batch_tokens"]),
    ):
        monkeypatch.setattr(policy_module, name, limited(getattr(policy_module, name), 64, batch_tokens_of))
    again, their_log_probs, their_description = everything()
    assert [[response.tokens for response in row] for row in again] == [[r.tokens for r in row] for row in drawn]
    assert torch.allclose(their_log_probs, log_probs, atol=1e-5)
    assert torch.allclose(their_description.values, described.values, atol=1e-4)

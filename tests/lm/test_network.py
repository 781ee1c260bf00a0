import gc
import weakref
from dataclasses import replace

import pytest
import torch
from transformers import LlamaForCausalLM

from boldly.lm.network import network, still
from boldly.lm.pack import Group
from boldly.lm.score import log_probs

GROUPS = [Group((1, 5, 6), ((10, 11, 12), (13, 2)))]


@pytest.mark.parametrize("lora", [None, 0.3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_common_families_share_prompts_and_are_read_at_their_last_state(language_model, kind, lora, dtype):
    net = network(language_model(kind, lora=lora, dtype=dtype))
    assert net.shares
    assert net.direct


@pytest.mark.parametrize(
    ("odd", "shares", "direct"), [("gemma2", False, False), ("cohere", True, False), ("mistral-sliding", False, True)]
)
def test_odd_families_are_seen_through(language_model, odd, shares, direct):
    net = network(language_model(odd))
    assert (net.shares, net.direct) == (shares, direct)


def test_a_window_that_is_never_reached_is_none(language_model):
    lm = language_model("mistral-sliding")
    assert network(replace(lm, context=6)).shares


class Capped(LlamaForCausalLM):
    """Logits through 30 tanh(. / 30), as other families do, under a class that nobody knows."""

    def forward(self, *args, **kwargs):
        output = super().forward(*args, **kwargs)
        output.logits = 30 * torch.tanh(output.logits / 30)
        return output


@pytest.mark.parametrize("size", [1e-4, 1.0, 100.0])
def test_a_cap_is_seen_however_small_the_logits(language_model, size):
    lm = language_model(dtype=torch.float64)
    lm.module.__class__ = Capped
    with torch.no_grad():
        lm.module.lm_head.weight.mul_(size)
    net = network(lm)
    assert not net.direct
    assert net.shares
    with torch.no_grad():
        logits = lm.module(torch.tensor([[1, 5, 6, 13]])).logits[0, -2:].log_softmax(-1)
    assert log_probs(lm, GROUPS, batch_tokens=100)[1].item() == pytest.approx(
        float(logits[0, 13] + logits[1, 2]), abs=1e-10
    )


class Counting(LlamaForCausalLM):
    """Shifts every logit by the number of tokens so far: what comes before a response in its row would count."""

    def forward(self, input_ids, **kwargs):
        output = super().forward(input_ids, **kwargs)
        kept = output.logits.shape[1]
        place = torch.arange(input_ids.shape[1] - kept, input_ids.shape[1])
        output.logits = output.logits * (1 + place[:, None])
        return output


def test_a_module_that_does_not_keep_responses_apart_gets_one_a_row(language_model):
    lm = language_model()
    lm.module.__class__ = Counting
    assert not network(lm).shares


class Stubborn(LlamaForCausalLM):
    """Takes no mask for pairs of tokens."""

    def forward(self, input_ids, attention_mask=None, **kwargs):
        if attention_mask is not None and attention_mask.ndim != 2:
            raise TypeError("attention_mask must be [rows, length]")
        return super().forward(input_ids, attention_mask=attention_mask, **kwargs)


def test_a_module_that_refuses_the_mask_gets_one_response_a_row(language_model):
    lm = language_model(dtype=torch.float64)
    plain = log_probs(lm, GROUPS, batch_tokens=100)
    other = language_model(dtype=torch.float64)
    other.module.__class__ = Stubborn
    other.module.get_output_embeddings = lambda: None
    assert not network(other).direct
    assert not network(other).shares
    assert (log_probs(other, GROUPS, batch_tokens=100) - plain).abs().max() < 1e-10


def test_trying_out_leaves_no_trace(language_model):
    lm = language_model(lora=0.3)
    lm.module.train()
    network(lm)
    assert lm.module.training
    assert all(parameter.grad is None for parameter in lm.module.parameters())
    assert not network(lm).head._forward_hooks


def test_what_was_found_does_not_keep_a_module_alive(language_model):
    lm = language_model()
    network(lm)
    module = weakref.ref(lm.module)
    del lm
    gc.collect()
    assert module() is None


def test_still_gives_every_part_its_mode_back(language_model):
    module = language_model().module.train()
    module.model.layers[0].eval()
    with still(module):
        assert not any(part.training for part in module.modules())
    assert module.training
    assert not module.model.layers[0].training
    assert not module.model.layers[0].self_attn.training
    assert module.model.layers[1].training

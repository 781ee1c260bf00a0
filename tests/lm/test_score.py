import random
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from boldly.errors import PromptsError
from boldly.lm import score
from boldly.lm.network import network, still
from boldly.lm.pack import Group
from boldly.lm.score import log_probs, packs, score_pack

EOS = 2
GROUPS = [
    Group((1, 3, 50, EOS, 4), ((9, 10, EOS), (9, 11, 12, 13, EOS), (14,))),
    Group((1, 40), ((20, 21, EOS),)),
    Group((1, 3, 60, 61, 62, 63, EOS, 3, 70, EOS, 4), ((30, 31, 32, 33, 34, 35), (EOS,))),
]
"""Prompts with end tokens in them, of several lengths; responses that ended, were cut, or end at once."""


def brute_force(module, prompt, response):
    """sum_i log softmax(logits)[r_i], one forward a token, one unpadded sequence, nothing but the tokens."""
    total = 0.0
    with torch.no_grad():
        for i, token in enumerate(response):
            logits = module(torch.tensor([[*prompt, *response[:i]]])).logits[0, -1]
            total += float(logits.log_softmax(-1)[token])
    return total


def truth(lm, groups):
    values = [brute_force(lm.module, group.prompt, response) for group in groups for response in group.responses]
    return torch.tensor(values, dtype=torch.float64)


def far(a, b):
    return float((a.detach().double() - b.detach().double()).abs().max())


@pytest.mark.parametrize("lora", [None, 0.3])
def test_log_probs_against_a_loop_over_tokens(language_model, any_kind, lora):
    """float64 to 1e-10; soft-capped attention computes its softmax in float32 whatever the model's dtype."""
    lm = language_model(any_kind, dtype=torch.float64, lora=lora)
    scored = log_probs(lm, GROUPS, batch_tokens=64)
    assert scored.dtype == torch.float64
    assert far(scored, truth(lm, GROUPS)) < (1e-5 if any_kind == "gemma2" else 1e-10)


def test_log_probs_in_float32(language_model, any_kind):
    exact = truth(language_model(any_kind, dtype=torch.float64), GROUPS)
    scored = log_probs(language_model(any_kind), GROUPS, batch_tokens=64)
    assert scored.dtype == torch.float32
    assert far(scored, exact) < 1e-5 * float(exact.abs().max())


def test_log_probs_in_bfloat16_are_summed_in_float32(language_model):
    exact = truth(language_model(dtype=torch.float64), GROUPS)
    scored = log_probs(language_model(dtype=torch.bfloat16), GROUPS, batch_tokens=64)
    assert scored.dtype == torch.float32
    assert far(scored, exact) < 0.02 * float(exact.abs().max())


def test_plain_attention_takes_the_mask_too(language_model, kind):
    lm = language_model(kind, dtype=torch.float64, attention="eager")
    assert network(lm).shares
    assert far(log_probs(lm, GROUPS, batch_tokens=64), truth(lm, GROUPS)) < 1e-5


@pytest.mark.parametrize(("batch_tokens", "chunk"), [(1, 2**24), (20, 700), (10**6, 1)])
def test_batches_order_and_chunks_change_nothing(language_model, any_kind, monkeypatch, batch_tokens, chunk):
    lm = language_model(any_kind, dtype=torch.float64, pad_is_eos=True)
    exact = truth(lm, GROUPS)
    monkeypatch.setattr(score, "CHUNK_LOGITS", chunk)
    near = 1e-5 if any_kind == "gemma2" else 1e-10
    with torch.no_grad():
        assert far(log_probs(lm, GROUPS, batch_tokens=batch_tokens), exact) < near
        back = log_probs(lm, GROUPS[::-1], batch_tokens=batch_tokens)
    assert far(torch.cat(back.split([2, 1, 3])[::-1]), exact) < near


def test_a_response_does_not_see_its_neighbours(language_model, kind):
    """Bit for bit: other tokens of the same number before it in the row leave a response's score alone."""
    lm = language_model(kind)
    a = log_probs(lm, [Group((1, 5, 6), ((10, 11, 12), (13, 14, EOS)))], batch_tokens=100)
    b = log_probs(lm, [Group((1, 5, 6), ((90, 91, 92), (13, 14, EOS)))], batch_tokens=100)
    assert a[1] == b[1]
    assert a[0] != b[0]


def test_nothing_to_score(language_model):
    assert log_probs(language_model(), [], batch_tokens=100).shape == (0,)


def test_a_response_beyond_the_context_is_refused(language_model):
    lm = replace(language_model("gpt2"), context=8)
    assert log_probs(lm, [Group((1, 2, 3, 4), ((5,) * 4,) * 3)], batch_tokens=100).shape == (3,)
    with pytest.raises(PromptsError, match="make 9 tokens; the model reads 8"):
        log_probs(lm, [Group((1, 2, 3, 4), ((5,) * 5,))], batch_tokens=100)


def counted(module):
    """How many tokens go into `module`, call by call."""
    calls = []

    def note(_, args, kwargs):
        calls.append((args[0] if args else kwargs["input_ids"]).numel())

    module.register_forward_pre_hook(note, with_kwargs=True)
    return calls


def test_a_prompt_is_read_once_and_only_what_predicts_a_response_reaches_the_output_layer(
    language_model, kind, monkeypatch
):
    lm = language_model(kind)
    head, fused = [], score.head_log_probs
    monkeypatch.setattr(
        score, "head_log_probs", lambda layer, inputs, *rest: (head.append(len(inputs)), fused(layer, inputs, *rest))[1]
    )
    body = counted(network(lm).body)
    log_probs(lm, GROUPS[:1], batch_tokens=100)
    assert body == [5 + 3 + 5 + 1]
    assert head == [3 + 5 + 1]


def plain_gradients(lm, weights):
    """The gradient of sum_i w_i log pi_i through the module's own logits, a sequence at a time, nothing chunked."""
    lm.module.zero_grad()
    i = 0
    for group in GROUPS:
        for response in group.responses:
            logits = lm.module(torch.tensor([[*group.prompt, *response]])).logits[0, len(group.prompt) - 1 : -1]
            row = logits.log_softmax(-1)[range(len(response)), list(response)]
            (weights[i] * row.sum()).backward()
            i += 1
    return gradients(lm)


def gradients(lm):
    return {name: p.grad.clone() for name, p in lm.module.named_parameters() if p.grad is not None}


def tolerance(kind):
    """Gradients of up to 100: float64 where the family keeps it; all but gpt2 take their norms in float32."""
    return {"gpt2": 1e-10, "gemma2": 1e-3}.get(kind, 1e-4)


@pytest.mark.parametrize("chunk", [600, 2**24])
@pytest.mark.parametrize("lora", [None, 0.3])
def test_gradients_are_those_of_the_plain_formula(language_model, any_kind, monkeypatch, chunk, lora):
    lm = language_model(any_kind, dtype=torch.float64, lora=lora)
    weights = torch.linspace(-1, 2, 6, dtype=torch.float64)
    plain = plain_gradients(lm, weights)
    monkeypatch.setattr(score, "CHUNK_LOGITS", chunk)
    lm.module.zero_grad()
    for pack in packs(lm, GROUPS, 30):
        rows = [i for place in pack.places for i in ([0, 1, 2], [3], [4, 5])[place]]
        (weights[rows] * score_pack(lm, pack)).sum().backward()
    shared = gradients(lm)
    assert plain.keys() == shared.keys()
    assert max(far(plain[name], shared[name]) for name in plain) < tolerance(any_kind)


def test_gradient_checkpointing_changes_no_gradient(language_model, kind):
    lm = language_model(kind, dtype=torch.float64)
    weights = torch.linspace(-1, 2, 6, dtype=torch.float64)
    plain = plain_gradients(lm, weights)
    lm.module.zero_grad()
    lm.module.activation_checkpointing_enable()
    lm.module.train()
    (weights * log_probs(lm, GROUPS, batch_tokens=1000)).sum().backward()
    assert max(far(plain[name], grad) for name, grad in gradients(lm).items()) < tolerance(kind)


class Largest(TorchDispatchMode):
    """The most rows of any tensor whose last axis is the vocabulary."""

    def __init__(self, vocabulary):
        super().__init__()
        self.vocabulary, self.rows = vocabulary, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for value in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(value, torch.Tensor) and value.ndim and value.shape[-1] == self.vocabulary:
                self.rows = max(self.rows, value.numel() // self.vocabulary)
        return result


def test_no_matrix_of_all_tokens_by_vocabulary_exists(language_model, monkeypatch):
    """Forward and backward; 40 tokens are scored 4 at a time, and the output layer's gradient has 16 rows."""
    lm = language_model(vocabulary=401)
    monkeypatch.setattr(score, "CHUNK_LOGITS", 4 * 401)
    groups = [Group((1, 5), ((9,) * 20, (8,) * 20))]
    (pack,) = packs(lm, groups, 100)
    with Largest(401) as largest:
        scored = score_pack(lm, pack)
        scored.sum().backward()
    assert largest.rows == network(lm).width == 16


def test_dropout_acts_only_where_the_module_trains(language_model):
    lm = language_model(dropout=0.5, lora=0.3)
    quiet = log_probs(lm, GROUPS, batch_tokens=100)
    lm.module.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert far(log_probs(lm, GROUPS, batch_tokens=100), quiet) > 0.01
    with still(lm.module):
        assert far(log_probs(lm, GROUPS, batch_tokens=100), quiet) == 0
    assert lm.module.training


@pytest.mark.parametrize("batch_tokens", [1, 24, 60, 10**6])
def test_packs_hold_every_group_whole_and_once(language_model, batch_tokens):
    lm = language_model()
    rng = random.Random(0)
    groups = [
        Group((1,) * rng.randint(1, 20), tuple((5,) * rng.randint(1, 12) for _ in range(rng.randint(1, 4))))
        for _ in range(25)
    ]
    made = packs(lm, groups, batch_tokens)
    assert sorted(place for pack in made for place in pack.places) == list(range(25))
    assert all(pack.groups == tuple(groups[i] for i in pack.places) for pack in made)
    for pack in made:
        layout = score.lay_out_pack(lm, network(lm), pack)
        assert layout.tokens.numel() <= batch_tokens or len(pack.groups) == 1
    assert len(made) == 1 or batch_tokens < 10**6

import ctypes
import itertools
import signal
import sys
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from boldly.errors import ConfigError, ModelError
from boldly.lm.model import Generation
from boldly.lm.network import network
from boldly.lm.pack import Group
from boldly.lm.policy import LMPolicy
from boldly.lm.sampling import Voice, native, sample
from boldly.lm.sampling.draw import uniforms
from boldly.lm.sampling.native import library
from boldly.lm.score import log_probs
from boldly.types import Prompt

MODULE = sys.modules[native.write.__module__]
EOS = 2
PROMPTS = [(1, 3, 50, EOS, 4), (1, 40), (1, 3, 60, 61, 62, 63, EOS, 3, 70, EOS, 4)]
KINDS = ("llama", "llama-tied", "qwen2", "qwen3")


def drawn(*lms, engine, n=5, prompts=PROMPTS, **generation):
    voices = [Voice(lm, n, torch.Generator().manual_seed(i)) for i, lm in enumerate(lms)]
    return sample(voices, prompts, generation=Generation(**{"max_tokens": 19, "engine": engine} | generation))


def flat(voices):
    return list(itertools.chain.from_iterable(row for rows in voices for row in rows))


@pytest.mark.parametrize("batch_tokens", [10**6, 200])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("lora", [None, 0.3])
@pytest.mark.parametrize("kind", KINDS)
def test_it_draws_what_the_module_draws(compiled, language_model, kind, lora, temperature, batch_tokens):
    """The same tokens from the same random numbers, and the log-probabilities of scoring in float64 to 1e-4 nats."""
    lm = replace(language_model(kind, lora=lora), end_tokens=(EOS, *range(5, 25)))
    settings = {"temperature": temperature, "batch_tokens": batch_tokens}
    expected = drawn(lm, engine="plain", **settings)
    found = drawn(lm, engine="native", **settings)
    assert [r.tokens for r in flat(found)] == [r.tokens for r in flat(expected)]
    assert [r.ended for r in flat(found)] == [r.ended for r in flat(expected)]
    assert {len(r.tokens) for r in flat(found)} > {1, 19}
    pairs = [(r.log_prob, r.sampled_log_prob) for r in flat(expected)]
    for response, pair in zip(flat(found), pairs, strict=True):
        assert (response.log_prob, response.sampled_log_prob) == pytest.approx(pair, abs=1e-4)
    exact = replace(lm, module=deepcopy(lm.module).double())
    groups = [Group(prompt, tuple(r.tokens for r in row)) for prompt, row in zip(PROMPTS, found[0], strict=True)]
    scored = log_probs(exact, groups, batch_tokens=1000).tolist()
    assert [r.log_prob for r in flat(found)] == pytest.approx(scored, abs=1e-4)


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_two_models_side_by_side(compiled, language_model, kind):
    one, two = language_model(kind, seed=1), language_model(kind, seed=2)
    assert flat(drawn(one, two, engine="native")) != flat(drawn(two, one, engine="native"))
    found, expected = drawn(one, two, engine="native"), drawn(one, two, engine="plain")
    assert [r.tokens for r in flat(found)] == [r.tokens for r in flat(expected)]


def test_two_adapters_of_one_model_side_by_side(compiled, language_model):
    """The policy with its adapter, the reference with it off, and a frozen one with another: each row has its own."""
    lm = language_model(lora=0.3)
    frozen = LMPolicy("frozen", lm, Generation(max_tokens=19)).freeze("frozen")
    with torch.no_grad():
        for name, parameter in lm.module.named_parameters():
            if "lora_B" in name:
                parameter.mul_(-2.0)
    policies = {
        engine: [
            replace(p, generation=Generation(max_tokens=19, engine=engine))
            for p in (LMPolicy("live", lm, Generation()), frozen)
        ]
        for engine in ("native", "plain")
    }
    prompts = [Prompt("one"), Prompt("another prompt")]
    for live, other in (policies["native"], policies["native"][::-1]):
        found = live.sample_beside(other, prompts, (3, 2), seeds=(1, 2))
        plain = replace(live, generation=Generation(max_tokens=19, engine="plain"))
        expected = plain.sample_beside(other, prompts, (3, 2), seeds=(1, 2))
        assert [[r.tokens for r in row] for rows in found for row in rows] == [
            [r.tokens for r in row] for rows in expected for row in rows
        ]
        assert {r.origin for rows in found for row in rows for r in row} == {"live", "frozen"}


def test_threads_and_slots_change_no_bit(compiled, language_model):
    lm = replace(language_model("qwen3"), end_tokens=(EOS, *range(5, 60)))
    rows, numbers = torch.arange(3).repeat_interleave(5), uniforms(15, 19, torch.Generator().manual_seed(0))
    read = native.read(lm, PROMPTS, 19)

    def written(threads, slots):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            (found,) = native.write([read], [rows], [numbers], temperature=1.0, slots=slots)
        finally:
            torch.set_num_threads(before)
        return found.tokens, found.log_probs

    alone = written(1, 15)
    assert len(set(map(tuple, alone[0].tolist()))) == 15
    for threads, slots in ((1, 4), (3, 15), (2, 1)):
        assert all(map(torch.equal, written(threads, slots), alone))


def test_the_context_cuts_a_response(compiled, language_model):
    lm = replace(language_model(), end_tokens=(10**6,))
    (rows,) = drawn(lm, engine="native", prompts=[tuple(range(5, 95)), (1, 5)], max_tokens=30)
    assert {len(r.tokens) for r in rows[0]} == {96 - 90}
    assert {len(r.tokens) for r in rows[1]} == {30}


def test_a_broken_model_is_refused(compiled, language_model):
    lm = language_model()
    assert not native.misfit([lm])
    with torch.no_grad():
        lm.module.lm_head.weight[7] = torch.nan
    with pytest.raises(ModelError, match="not finite"):
        drawn(lm, engine="native")


UNKNOWN = {
    "gpt2": "it knows llama, mistral, qwen2, qwen3, and the model is gpt2",
    "gemma2": "the model is gemma2",
    "cohere": "the model is cohere",
    "mistral-sliding": "layers of this mistral don't see every token before them, as with sliding windows",
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_it_does_not_know_is_drawn_plainly_or_refused(compiled, language_model, kind):
    lm = language_model(kind)
    assert drawn(lm, engine="auto") == drawn(lm, engine="plain")
    with pytest.raises(ConfigError, match="engine: auto") as refused:
        drawn(lm, engine="native")
    assert UNKNOWN[kind] in str(refused.value)


def test_other_numbers_and_shapes_are_not_for_it(compiled, language_model):
    assert native.misfit([language_model(dtype=torch.float64)]).endswith("torch.float64: write `dtype: float32`")
    assert "more than their weights" in native.misfit([language_model("llama"), language_model("qwen3")])


def test_a_model_that_only_looks_like_one_is_found_out(compiled, language_model):
    lm = language_model(vocabulary=300)
    layer = network(lm).body.layers[1]
    layer.register_forward_hook(lambda _, __, output: output.roll(1, -1))
    assert "does not draw the same" in native.misfit([lm])


@pytest.mark.parametrize("stride", [1, 3, 10**6])
def test_pieces_change_no_bit(compiled, language_model, monkeypatch, stride):
    """Between them Python has its turn, and rows enter and leave in any of them."""
    lm = replace(language_model(), end_tokens=(EOS, *range(5, 25)))
    expected = drawn(lm, lm, engine="native", batch_tokens=200)
    monkeypatch.setattr(MODULE, "STRIDE", stride)
    assert drawn(lm, lm, engine="native", batch_tokens=200) == expected


class Enough(Exception):
    """What the handler of a signal raises."""


def test_a_signal_is_heard_between_two_pieces(compiled, language_model, monkeypatch):
    """Its handler's error ends the drawing, of which most is left: 20,000 rows of 80 tokens, four at a time."""
    lm = replace(language_model(), end_tokens=(10**6,))
    reads = [native.read(lm, PROMPTS[:1], 80)]
    rows, numbers = [torch.zeros(20_000, dtype=torch.long)], [uniforms(20_000, 80, torch.Generator())]
    pieces, plain = [], MODULE._sampler

    @contextmanager
    def counted(*given):
        with plain(*given) as run:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            yield lambda steps: (pieces.append(steps), run(steps))[1]

    def ring(*_):
        raise Enough

    monkeypatch.setattr(MODULE, "_sampler", counted)
    before = signal.signal(signal.SIGALRM, ring)
    try:
        with pytest.raises(Enough):
            native.write(reads, rows, numbers, temperature=1.0, slots=4)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(pieces) < 20_000 * 80 / 4 / MODULE.STRIDE / 2


def test_models_that_differ_by_more_than_weights_are_not_written_side_by_side(compiled, language_model):
    lm = language_model()
    other = language_model(seed=1)
    assert not native.misfit([lm, other])
    turned = deepcopy(other.module)
    turned.config.rope_parameters = {"rope_type": "default", "rope_theta": 50.0}
    turned.model.rotary_emb = type(turned.model.rotary_emb)(turned.config)
    for odd in (replace(other, end_tokens=(3,)), replace(other, context=50), replace(other, module=turned)):
        assert native.misfit([lm, odd])
        assert native.misfit([odd]) == ""


def test_a_library_of_other_sources_is_left_alone(compiled, tmp_path):
    """The C library has no such structures, and a file that was cut is no library at all."""
    (tmp_path / "decode-v3.so").write_bytes(b"\x7fELF half of it")
    assert library._loaded(tmp_path / "decode-v3.so") is None
    assert library._loaded(Path("libc.so.6")) is None


def test_a_library_with_other_structures_is_left_alone(compiled, monkeypatch):
    class Longer(ctypes.Structure):
        _fields_ = [*library.Shape._fields_, ("another", ctypes.c_int64)]

    monkeypatch.setattr(library, "Shape", Longer)
    assert library.library.__wrapped__() is None


def test_a_processor_without_vectors_is_told_so(monkeypatch):
    monkeypatch.setattr(library, "_levels", lambda: ())
    assert library.library.__wrapped__() is None
    assert library.absence() == "this processor lacks AVX2"

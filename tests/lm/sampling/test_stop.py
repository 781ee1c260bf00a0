"""Stop strings, against what is said without them, cut at the first token whose text has one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from importlib import import_module
from itertools import chain

import pytest
import torch
from tokenizers import Tokenizer, decoders, models
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from boldly.errors import ConfigError
from boldly.lm.encode import decode
from boldly.lm.model import Engine, Generation, LanguageModel
from boldly.lm.network import network
from boldly.lm.pack import Group
from boldly.lm.policy import LMPolicy
from boldly.lm.sampling import Drawn, Voice, sample
from boldly.lm.sampling import stop as module
from boldly.lm.sampling.stop import before, stop_of
from boldly.lm.score import log_probs
from boldly.types import Prompt
from tests.lm.conftest import BOS, CONTEXT, EOS, PAD, SPECIAL, tiny_config, with_adapter

PROMPTS = [(BOS, 7, 8), (BOS, 9), (BOS, 10, 11, 12, 13, 14)]
N, STEPS = 25, 12

BYTE_LEVEL = ["Ġ", "Ċ", "a", "b", "c", "Ġa", "Ġab", "ab", "bca", "#", "##", "Ġus", "er", ":", "ĊĊ", "ĠĠ"]
BYTE_LEVEL += ["Ã©", "Ã", "©", "©b", "æĹ¥", "æĹ", "¥", "¥#", "aÃ", "ĠæĹ"]
"""Words with the space before them, and tokens that begin and end within é (Ã©) and 日 (æĹ¥)."""

PIECES = ["▁", "▁▁", "a", "b", "c", "▁a", "▁ab", "ab", "bca", "#", "##", "▁us", "er", ":", "é", "日", "é▁"]
PIECES += [f"<0x{byte:02X}>" for byte in (0x0A, 0x41, *"é日".encode())]
"""▁ for a space, of which the first is none of the text, and bytes for what is no piece."""

SENTENCES = decoders.Sequence(
    [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
)
TOKENIZERS = {"byte level": (BYTE_LEVEL, decoders.ByteLevel()), "sentence pieces": (PIECES, SENTENCES)}

STRINGS = [
    ("b",),
    (" a",),
    ("ab",),
    ("é",),
    ("日", "\n\n"),
    ("er:", "##", "bca", "Aé"),
    (" ",),
    (" user:", "é a", "c a"),
]
STRINGS += [("aab", "日#"), ("\ufffdb", "A"), ("z",), ("Q", "b")]
"""The last two with a character that no piece has."""


@pytest.fixture(scope="module", params=TOKENIZERS)
def speaker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A model that says every piece about as often."""
    own, decoder = TOKENIZERS[request.param]
    tokenizer = Tokenizer(models.BPE({piece: i for i, piece in enumerate([*SPECIAL, *own])}, []))
    tokenizer.decoder = decoder
    tokenizer.add_special_tokens(list(SPECIAL))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        llama = AutoModelForCausalLM.from_config(tiny_config("llama", len(fast) + 3, 0.0)).eval()
    directory = tmp_path_factory.mktemp("speaker")
    return LanguageModel(llama, fast, (EOS,), PAD, CONTEXT, chat=False, adapter=False, directory=directory)


@pytest.fixture(params=["plain", "native"])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "native":
        request.getfixturevalue("compiled")
    return request.param


def drawn(
    lm: LanguageModel, engine: Engine, stop: Sequence[str] = (), *, n: int = N, **settings: float
) -> list[list[Drawn]]:
    generation = Generation(**{"max_tokens": STEPS, "engine": engine, "stop": tuple(stop)} | settings)
    (rows,) = sample([Voice(lm, n, torch.Generator().manual_seed(0))], PROMPTS, generation=generation)
    return rows


def flat(rows: list[list[Drawn]]) -> list[Drawn]:
    return list(chain.from_iterable(rows))


def cut(lm: LanguageModel, tokens: tuple[int, ...], strings: Sequence[str]) -> tuple[int, ...]:
    """`tokens` up to the first that leaves a text with a stop string, by looking at each."""
    heads = (tokens[:end] for end in range(1, len(tokens) + 1))
    return next((head for head in heads if any(string in decode(lm, head) for string in strings)), tokens)


def spoken(lm: LanguageModel) -> list[tuple[int, ...]]:
    """Random tokens of which every other is followed by its neighbour, as the bytes of a character are."""
    generator, size = torch.Generator().manual_seed(0), len(lm.tokenizer)
    rows = torch.randint(size, (250, STEPS), generator=generator)
    for step in range(1, STEPS):
        beside = torch.rand(len(rows), generator=generator) < 0.5
        rows[beside, step] = (rows[beside, step - 1] + 1) % size
    return [tuple(row) for row in rows.tolist()]


@pytest.mark.parametrize("strings", STRINGS, ids=repr)
def test_a_response_is_what_it_would_be_up_to_its_stop(speaker, engine, strings):
    whole = flat(drawn(speaker, engine))
    expected = [cut(speaker, response.tokens, strings) for response in whole]
    for batch_tokens in (10**6, 400):
        found = flat(drawn(speaker, engine, strings, batch_tokens=batch_tokens))
        assert [response.tokens for response in found] == expected
        for response, one in zip(found, whole, strict=True):
            said = any(string in decode(speaker, response.tokens) for string in strings)
            assert response.ended == (said or response.tokens[-1] == EOS)
            assert said or response.tokens == one.tokens


@pytest.mark.parametrize("strings", STRINGS, ids=repr)
def test_a_response_that_is_given_is_cut_where_one_that_is_drawn_ends(speaker, strings):
    stop = stop_of(speaker, strings)
    assert stop is not None
    for tokens in spoken(speaker):
        head = cut(speaker, tokens, strings)
        assert stop.until(tokens) == head
        assert stop.ends(head) == any(string in decode(speaker, head) for string in strings)


def test_strings_come_about_in_every_way(speaker):
    """Within a token or over several, some of which are no text alone, with more behind them, and never."""
    seen = set()
    for tokens in spoken(speaker):
        for strings in STRINGS:
            head = cut(speaker, tokens, strings)
            text, own = decode(speaker, head), decode(speaker, head[-1:])
            found = [string for string in strings if string in text]
            seen |= {"within" if string in own else "over several" for string in found} or {"never"}
            seen |= {"more behind" for string in found if not text.endswith(string)}
            seen |= {"of no text" for string in found if "\ufffd" in own and string == "é"}
    assert seen == {"within", "over several", "never", "more behind", "of no text"}


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_probs_are_those_of_what_was_kept(speaker, engine, temperature):
    """Against scoring in float64, at temperature 1."""
    rows = drawn(speaker, engine, ("ab", "é", "##"), temperature=temperature)
    exact = replace(speaker, module=deepcopy(speaker.module).double())
    groups = [Group(prompt, tuple(r.tokens for r in row)) for prompt, row in zip(PROMPTS, rows, strict=True)]
    scored = log_probs(exact, groups, batch_tokens=1000).tolist()
    assert [response.log_prob for response in flat(rows)] == pytest.approx(scored, abs=1e-4)
    if temperature == 1.0:
        assert [response.sampled_log_prob for response in flat(rows)] == pytest.approx(scored, abs=1e-4)


def test_no_step_runs_for_a_row_that_has_stopped(speaker):
    strings, steps = ("b", "é"), []
    hook = network(speaker).body.register_forward_pre_hook(
        lambda _, args, kwargs: steps.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    rows = drawn(speaker, "plain", strings)
    hook.remove()
    assert sum(count for count, length in steps if length == 1) == sum(len(r.tokens) - 1 for r in flat(rows))
    assert sum(len(r.tokens) for r in flat(rows)) < sum(len(r.tokens) for r in flat(drawn(speaker, "plain"))) / 2


def test_no_native_step_runs_for_a_row_that_has_stopped(speaker, compiled, monkeypatch):
    """One row at a time, so that every token but the first of each takes one step of the library."""
    write, steps = import_module("boldly.lm.sampling.native.write"), []
    plain = write._sampler

    @contextmanager
    def counted(*args: object) -> Iterator[object]:
        with plain(*args) as run:
            yield lambda _: steps.extend(iter(lambda: run(1), 0))

    monkeypatch.setattr(write, "_sampler", counted)
    rows = drawn(speaker, "native", ("b", "é"), batch_tokens=1)
    assert len(steps) + len(rows) == sum(len(response.tokens) - 1 for response in flat(rows))


def test_only_what_can_complete_a_string_is_decoded(speaker, monkeypatch):
    """Nothing at all where no response has a token that holds the last character with what comes before it."""
    counted = []
    monkeypatch.setattr(module, "decode", lambda lm, tokens: counted.append(tokens) or decode(lm, tokens))
    rows = drawn(speaker, "plain", ("x#",))
    hashes = [i for piece, i in speaker.tokenizer.get_vocab().items() if "#" in piece]
    said = sum(response.tokens.count(token) for response in flat(rows) for token in hashes)
    assert 0 < len(counted) == said + sum(response.tokens[-1] in hashes for response in flat(rows))


def test_what_goes_wrong_in_decoding_is_raised(speaker, engine, monkeypatch):
    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        drawn(speaker, engine, ("b",))


def test_policies_side_by_side_stop_alike(speaker, engine):
    """In one batch or one after the other; texts are what stands before the strings, and scores those of the tokens."""
    strings = ("b", "é")
    lm = replace(speaker, module=with_adapter(deepcopy(speaker.module), scale=0.3, dropout=0.0), adapter=True)
    live = LMPolicy("live", lm, Generation(max_tokens=STEPS, engine=engine))
    frozen = live.freeze("frozen")
    with torch.no_grad():
        for name, parameter in lm.module.named_parameters():
            if "lora_B" in name:
                parameter.mul_(-2.0)
    prompts = [Prompt("ab"), Prompt("##:")]
    whole = live.sample_beside(frozen, prompts, (20, 30), seeds=(1, 2))
    found = replace(live, generation=replace(live.generation, stop=strings)).sample_beside(
        frozen, prompts, (20, 30), seeds=(1, 2)
    )
    for policy, some, every in zip((live, frozen), found, whole, strict=True):
        for prompt, row, longer in zip(prompts, some, every, strict=True):
            assert [r.tokens for r in row] == [cut(lm, r.tokens, strings) for r in longer]
            assert all(decode(lm, r.tokens).startswith(r.text) and not any(s in r.text for s in strings) for r in row)
            assert all(r.ended == (r.text != decode(lm, r.tokens) or r.tokens[-1] == EOS) for r in row)
            scored = policy.log_probs([prompt] * len(row), row).tolist()
            assert [r.log_prob for r in row] == pytest.approx(scored, abs=1e-4)


def test_the_text_is_what_stands_before_the_first_string():
    assert before("abcde", ("cd", "b")) == "a"
    assert before("abcde", ("x",)) == "abcde"
    assert before("abcde", ()) == "abcde"
    assert before("abc", ("a",)) == ""


def test_no_strings_are_no_stop(speaker):
    assert stop_of(speaker, ()) is None


def test_special_tokens_are_refused_as_they_are_in_no_text(speaker):
    with pytest.raises(ConfigError, match=r"'<user>:' with the special token <user> .*\"eos_token_id\""):
        drawn(speaker, "plain", ("b", "<user>:"))

"""What the real vLLM answers: that of `make vllm` or this Python's, played in a process of its own by `played.py`."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import chisquare
from transformers import LlamaConfig, LlamaForCausalLM

from tests.lm.conftest import BOS, EOS, PAD, byte_tokenizer

ROOT = Path(__file__).parents[3]
VLLM = ROOT / ".venv-vllm"


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> dict[str, Any]:
    """What the real vLLM said."""
    made = (VLLM / "complete").exists()
    if not made and find_spec("vllm") is None:
        pytest.skip("no vLLM: `make vllm` installs a build for CPUs, which the tests find")
    python = str(VLLM / "bin" / "python") if made else sys.executable
    here = Path(__file__)
    source = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    root = tmp_path_factory.mktemp("vllm")
    tokenizer = byte_tokenizer(chat=False, pad_is_eos=False)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=96,
        initializer_range=0.1,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(root / "model")
    tokenizer.save_pretrained(root / "model")
    program = [python, str(here.with_name("played.py")), str(root / "model"), str(root / "results.json")]
    ended = subprocess.run(program, capture_output=True, text=True, env=source, check=False)
    assert ended.returncode == 0, ended.stderr[-5000:]
    assert ended.stdout == "", "a command's output is data"
    return json.loads((root / "results.json").read_text())


def responses(played: dict[str, Any]) -> list[dict[str, Any]]:
    """Every response of several tokens that was played."""
    rows = [played["adapters"]["warm"], played["adapters"]["ending"], played["adapters"]["context"]["said"]]
    for part in played.values():
        rows += [each[who] for each in part.values() if isinstance(each, dict) and "own" in each for who in each]
    return [response for row in rows for response in row]


REAL = pytest.mark.timeout(900)


@REAL
def test_kept_and_sampled_log_probs_are_the_truth(played):
    """At temperature 1 and at the one of the draw, under whichever weights drew, by a forward of the module."""
    found = responses(played)
    assert len(found) > 150
    assert [r["kept"] for r in found] == pytest.approx([r["truth"] for r in found], abs=2e-4)
    assert [r["sampled"] for r in found] == pytest.approx([r["warm"] for r in found], abs=2e-4)


@REAL
@pytest.mark.parametrize("part", ["adapters", "full"])
def test_what_was_learned_draws(played, part):
    """An untrained policy is the base; one that has learned is far from it, on what either of them says."""
    untrained, learned = played[part]["untrained"], played[part]["learned"]
    for who in ("own", "others"):
        assert [r["other"] for r in untrained[who]] == pytest.approx([r["truth"] for r in untrained[who]], abs=2e-4)
        assert sum(abs(r["other"] - r["truth"]) > 0.5 for r in learned[who]) > len(learned[who]) / 2
    assert tokens(untrained["others"]) == tokens(learned["others"])
    assert tokens(untrained["own"]) != tokens(learned["own"])


def tokens(rows: list[dict[str, Any]]) -> list[list[int]]:
    return [r["tokens"] for r in rows]


@REAL
def test_two_adapters_draw_in_one_call(played):
    found = played["adapters"]
    assert found["adapters in the engine"] == [1, 2]
    assert found["folders"] == ["1", "2"]
    two = found["two adapters"]
    assert tokens(two["others"]) != tokens(found["learned"]["others"])
    for who in ("own", "others"):
        assert sum(abs(r["other"] - r["truth"]) > 0.5 for r in two[who]) > len(two[who]) / 2


@REAL
def test_equal_seeds_give_equal_draws_of_the_real_engine(played):
    for who in ("own", "others"):
        assert tokens(played["adapters"]["two adapters"][who]) == tokens(played["adapters"]["two adapters again"][who])
        assert tokens(played["full"]["learned"][who]) == tokens(played["full"]["learned again"][who])
        assert tokens(played["adapters"]["two adapters"][who]) != tokens(played["adapters"]["other seeds"][who])
        every = tokens(played["adapters"]["two adapters"][who])
        assert len({tuple(row) for row in every}) == len(every)


@REAL
def test_responses_end_at_their_first_end_token(played):
    ends = set(played["adapters"]["end tokens"])
    for response in played["adapters"]["ending"]:
        *before, last = response["tokens"]
        assert not set(before) & ends
        assert response["ended"] == (last in ends)
        assert response["ended"] or len(response["tokens"]) == 9
    assert {response["ended"] for response in played["adapters"]["ending"]} == {True, False}
    full = played["adapters"]["context"]
    for response in full["said"]:
        assert response["ended"] or response["asked"] + len(response["tokens"]) == full["tokens"]


@REAL
def test_responses_stop_where_they_would_have_without_being_stopped(played):
    """The same draws without stop strings, cut at the first token whose text has one; those with a space before too."""
    found = played["stopped"]
    strings = found["strings"]
    expected = []
    for texts in found["texts without"]:
        ends = [end for end, text in enumerate(texts) if any(string in text for string in strings)]
        expected.append(ends[0] + 1 if ends else len(texts))
    assert [len(response["tokens"]) for response in found["said"]] == expected
    assert [r["tokens"] for r in found["said"]] == [
        tokens[:length] for tokens, length in zip(found["tokens without"], expected, strict=True)
    ]
    assert sum(length < len(texts) for length, texts in zip(expected, found["texts without"], strict=True)) > 20
    for response in found["said"]:
        assert not any(string in response["text"] for string in strings)
        assert [response["kept"], response["sampled"]] == pytest.approx([response["truth"]] * 2, abs=2e-4)


@REAL
def test_first_tokens_follow_the_policy(played):
    """Chi-square on 4,000 draws with a seed each: wrong once in 10,000 seeds for a right sampler."""
    found = played["adapters"]["first tokens"]
    total = sum(found["counts"])
    pairs = [(count, total * p) for count, p in zip(found["counts"], found["probabilities"], strict=True)]
    often = [pair for pair in pairs if pair[1] >= 5]
    rest = [sum(values) for values in zip(*(pair for pair in pairs if pair[1] < 5), strict=True)] or [0, 0]
    counts, means = zip(*often, *([rest] if rest[1] else []), strict=True)
    assert len(often) > 100
    assert chisquare(counts, [mean * total / sum(means) for mean in means]).pvalue > 1e-4

"""The bundled base models: they load like any Hugging Face directory and answer as their cards say."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from boldly.data import Preset, base_directory, heldout_prompts, prompts
from boldly.data.answers import Style, vocabulary
from boldly.data.task import style_of

ROOT = Path(__file__).parents[2]
PRESETS: tuple[Preset, ...] = ("default", "rare")
BEST = {"default": (0.015, 0.025), "rare": (0.004, 0.006)}


def tokenizer_of(preset: Preset) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(base_directory(preset))


def shares_of(preset: Preset) -> dict[str, float]:
    return json.loads((base_directory(preset) / "shares.json").read_text())


def sampled_shares(preset: Preset, samples: int) -> dict[str, float]:
    """Shares of the styles among answers drawn by the directory's own generation settings."""
    tokenizer, model = tokenizer_of(preset), AutoModelForCausalLM.from_pretrained(base_directory(preset))
    texts = [prompt.text for prompt in heldout_prompts()] * (samples // 512)
    torch.manual_seed(11)
    counts = dict.fromkeys(Style, 0)
    for start in range(0, samples, 1024):
        asked = texts[start : start + 1024]
        inputs = tokenizer(asked, padding=True, return_tensors="pt")
        output = model.generate(**inputs)[:, inputs["input_ids"].shape[1] :]
        ended = (output == tokenizer.eos_token_id).any(dim=1).tolist()
        for problem, text, end in zip(
            asked, tokenizer.batch_decode(output, skip_special_tokens=True), ended, strict=True
        ):
            counts[style_of(problem, text, end)] += 1
    return {style: count / samples for style, count in counts.items()}


@pytest.mark.parametrize("preset", PRESETS)
def test_small_and_without_pickle(preset: Preset):
    files = [path for path in base_directory(preset).iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 1_500_000
    assert {path.suffix for path in files} == {".json", ".safetensors", ".md"}


@pytest.mark.parametrize("preset", PRESETS)
def test_words_survive_the_tokenizer(preset: Preset):
    tokenizer = tokenizer_of(preset)
    for text in [prompt.text for prompt in prompts()[:200]]:
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    everything = " ".join(vocabulary())
    ids = tokenizer(everything)["input_ids"]
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode([*ids, tokenizer.eos_token_id], skip_special_tokens=True) == everything


@pytest.mark.parametrize("preset", PRESETS)
def test_special_tokens_agree(preset: Preset):
    tokenizer, model = tokenizer_of(preset), AutoModelForCausalLM.from_pretrained(base_directory(preset))
    assert len({tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id}) == 3
    for holder in (model.config, model.generation_config):
        assert (holder.pad_token_id, holder.eos_token_id) == (tokenizer.pad_token_id, tokenizer.eos_token_id)
    assert model.config.vocab_size == len(tokenizer) == len(vocabulary()) + 3
    assert model.config.max_position_embeddings >= 64
    assert tokenizer("zebra")["input_ids"] == [tokenizer.unk_token_id]


@pytest.mark.parametrize("preset", PRESETS)
def test_the_card_keeps_what_the_task_is_about(preset: Preset):
    """The best answer is rare, the mediocre one several times commoner, arithmetic is mostly right."""
    shares = {style: shares_of(preset).get(style, 0.0) for style in Style}
    low, high = BEST[preset]
    assert low <= shares[Style.WORKING_RIGHT] <= high
    bare = shares[Style.BARE_RIGHT] + shares[Style.BARE_WRONG]
    working = shares[Style.WORKING_RIGHT] + shares[Style.WORKING_WRONG]
    assert bare >= 4 * working
    assert shares[Style.BARE_RIGHT] + shares[Style.WORKING_RIGHT] >= 0.9 * (bare + working)
    assert shares[Style.WORKING_RIGHT] >= 0.9 * working
    assert shares[Style.LAZY] >= 0.6
    assert shares[Style.GARBAGE] <= 0.02


@pytest.mark.parametrize("preset", PRESETS)
def test_the_card_says_what_it_answers(preset: Preset):
    """2,048 samples against the card's 32,768, each share within 5 standard errors of the difference and two answers.

    Sixteen comparisons in all, so a right card fails with a chance below 1 in 10,000 (and the seed is fixed).
    """
    samples, card = 2048, shares_of(preset)
    for style, share in sampled_shares(preset, samples).items():
        expected = card.get(style, 0.0)
        error = (expected * (1 - expected) * (1 / samples + 1 / 32768)) ** 0.5
        assert abs(share - expected) <= 5 * error + 2 / samples, style
        assert f"| {style} |" in (base_directory(preset) / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("script", ["scripts/make_base.py", "bench/tasks/second.py"])
def test_making_a_model_twice_gives_the_same_bits(script: str, tmp_path: Path):
    """A hundredth of the steps is enough to see any difference."""
    digests = []
    for name in ("first", "second"):
        command = [sys.executable, str(ROOT / script), "--shrink", "100", "--output", str(tmp_path / name)]
        subprocess.run(command, check=True, capture_output=True)
        weights = (tmp_path / name / "model.safetensors").read_bytes()
        digests.append(hashlib.sha256(weights).hexdigest())
    assert digests[0] == digests[1]


@pytest.mark.slow
def test_the_bundled_prompts_are_the_ones_the_script_writes(tmp_path: Path):
    command = [sys.executable, str(ROOT / "scripts/make_base.py"), "--preset", "prompts", "--output", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    for name in ("prompts.jsonl", "heldout.jsonl"):
        assert (tmp_path / name).read_bytes() == (ROOT / "src/boldly/data" / name).read_bytes()

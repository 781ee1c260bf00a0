"""The card of a run's model."""

import json
import re
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from boldly.config.reading import read_config
from boldly.ledger import MemoryLedger
from boldly.progress import Result
from boldly.runner.card import card_of
from tests.lm.conftest import byte_tokenizer, tiny_config


def limits(**flags: str) -> tuple[str, ...]:
    result = Result(
        Path("runs/x"), "xpo", 0, 0, 0, "newest", None, None, None, None, Path("model"), Path("report"), resumed=False
    )
    return card_of(read_config(flags=flags), result, MemoryLedger()).limits


def test_the_card_says_how_to_stop_the_model_as_it_was_stopped():
    """What it says is done, as transformers takes it, with a model that says any byte."""
    *others, last = limits(**{"generation.stop": '["e", "\\n#", "é"]'})
    assert tuple(others) == limits()
    (strings,) = re.findall(r"stop_strings=(\[.*\])\)", last)
    assert json.loads(strings) == ["e", "\n#", "é"]
    tokenizer = byte_tokenizer(chat=False, pad_is_eos=False)
    torch.manual_seed(0)
    module = AutoModelForCausalLM.from_config(tiny_config("llama", len(tokenizer), 0.0))
    start = tokenizer(["abc"] * 64, return_tensors="pt")["input_ids"]
    said = module.generate(
        start,
        do_sample=True,
        max_new_tokens=60,
        tokenizer=tokenizer,
        stop_strings=json.loads(strings),
    )
    texts = [tokenizer.decode(row, skip_special_tokens=True) for row in said[:, start.shape[1] :]]
    assert sum(text.endswith("e") for text in texts) > 3
    assert not any("e" in text[:-1] for text in texts)

"""The judge against another maintained server of the protocol, `transformers serve`, with a tiny model of its own."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from boldly.errors import OracleUnavailable
from boldly.oracles.judge import judge
from boldly.oracles.judge.looks import View
from boldly.oracles.judge.settings import MODES
from boldly.types import Tie
from tests.oracles.judge.buying import buy, some

pytestmark = pytest.mark.slow

SPECIAL = ("<pad>", "<eos>", "<system>", "<user>", "<assistant>")
TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte."""
    vocabulary = {token: i for i, token in enumerate((*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())))}
    bytewise = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytewise.decoder = decoders.ByteLevel()
    bytewise.add_special_tokens(list(SPECIAL))
    fast = PreTrainedTokenizerFast(tokenizer_object=bytewise, eos_token="<eos>", pad_token="<pad>")
    fast.chat_template = TEMPLATE
    return fast


def write_model(folder: Path, says: str) -> None:
    """A Llama that ends every request with `says`, learned in at most 400 steps on requests of the judge's own form."""
    torch.manual_seed(0)
    words = tokenizer()
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=8192,
        eos_token_id=1,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    settings = judge(model="m", base_url="http://localhost:1/v1")._settings
    target = words(says + "<eos>", add_special_tokens=False, return_tensors="pt").input_ids
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(400):
        view = View(f"prompt {step}", f"answer {step}", "bad", "ab")
        messages = list(view.shown(MODES[step % 3], settings).messages)
        text = words.apply_chat_template(messages, tokenize=False)
        request = words(text, add_special_tokens=False, return_tensors="pt").input_ids
        tokens = torch.cat([request, target], dim=1)
        labels = torch.cat([torch.full_like(request, -100), target], dim=1)
        loss = model(input_ids=tokens, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.01:
            break
    else:
        raise AssertionError("the model has not learned what to say")
    model.save_pretrained(folder)
    words.save_pretrained(folder)


@pytest.fixture(scope="module", params=["A", "AB"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[str, str, str]]:
    """The address of a server, its model, and what that says."""
    folder = tmp_path_factory.mktemp("model")
    write_model(folder, request.param)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    log = (folder / "log").open("wb")
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(folder), "--host", "127.0.0.1"]
    running = subprocess.Popen([*command, "--port", str(port), "--device", "cpu"], stdout=log, stderr=log)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1.0).close()
                break
            except OSError:
                assert running.poll() is None, (folder / "log").read_text()
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1", str(folder), request.param
    finally:
        running.terminate()
        running.wait(20)
        log.close()


def test_a_server_of_others_is_asked_and_booked(served: tuple[str, str, str]):
    """A model that always says "A" makes ties, one that says both makes failures; both are booked to the last call."""
    url, model, says = served
    oracle = judge(model=model, base_url=url, max_tokens=16, price_in=1.0, price_out=1.0, workers=2, timeout=120.0)
    found = oracle.probe()
    assert (found.usage, found.limit, found.requests) == (True, "max_tokens", 2)
    assert (found.mode, found.right) == ("text", says == "A"), "it ignores what it does not know, without a word"
    labels, book, ended = buy(oracle, some(3), attempts=2)
    assert len(book.sent) == len(book.received)
    assert {reason for _, _, reason in book.received.values()} == {""}
    answers = [answer for _, answer, _ in book.received.values() if answer is not None]
    assert [answer["text"] for answer in answers] == [says] * len(book.sent)
    tokens = sum(answer["tokens_in"] + answer["tokens_out"] for answer in answers)
    assert book.spent().money == pytest.approx(tokens * 1e-6)
    if says == "A":
        assert ended is None
        assert [label.verdict for label in labels] == [Tie()] * 3
        assert all(label.facts["flipped"] and label.facts["requests"] == 2 for label in labels)
        assert len(book.sent) == 6
    else:
        assert labels == []
        assert isinstance(ended, OracleUnavailable)
        assert "said no A, B or tie: 'AB'" in str(ended)
        assert len(book.sent) == 6, "two attempts at one look of each of three queries"

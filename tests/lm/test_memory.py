"""Where memory runs out the same comes out, in smaller batches."""

import subprocess
import sys

import pytest
import torch

from boldly.errors import BoldlyError
from boldly.lm import memory
from boldly.lm import policy as policy_module
from boldly.lm.memory import within_memory
from boldly.lm.model import Generation
from boldly.lm.policy import LMPolicy
from boldly.types import Prompt

PEBIBYTES = 2**50


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


def test_batches_are_halved_where_a_processor_has_no_memory_left():
    """Its allocator's own error, of a tensor that no machine has room for."""

    def work(batch_tokens):
        return torch.empty(PEBIBYTES) if batch_tokens > 300 else batch_tokens

    assert within_memory(work, 1024, what="it") == 256
    with pytest.raises(BoldlyError, match="it doesn't fit into memory: lower"):
        within_memory(lambda _: torch.empty(PEBIBYTES), 256, what="it")
    with pytest.raises(BoldlyError, match="it doesn't fit into memory: train"), memory.of_one_size("it"):
        torch.empty(PEBIBYTES)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux limits the address space of a process")
def test_a_limit_of_the_process_counts():
    program = """
import resource, torch
from boldly.lm.memory import address_space, free
assert address_space() > 2**60
held = 4 * 2**30
resource.setrlimit(resource.RLIMIT_AS, (held, held))
left = free(torch.device("cpu"))
assert 0 < left < held
taken = torch.empty(left // 2, dtype=torch.uint8)
assert free(torch.device("cpu")) <= left - len(taken)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_tightest_of_the_groups_that_hold_a_process_counts(tmp_path, monkeypatch):
    outer, inner = tmp_path / "user.slice", tmp_path / "user.slice" / "mine.scope"
    inner.mkdir(parents=True)
    for group, most, used in ((outer, "5000", 2000), (inner, "9000", 1000)):
        (group / "memory.max").write_text(f"{most}\n")
        (group / "memory.current").write_text(f"{used}\n")
        (group / "memory.stat").write_text("anon 3\ninactive_file 500\n")
    said = tmp_path / "cgroup"
    said.write_text("4:memory:/elsewhere\n0::/user.slice/mine.scope\n")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    monkeypatch.setattr(memory, "_GROUP_OF_THIS", said)
    assert memory.free(torch.device("cpu")) == 3500
    (outer / "memory.max").write_text("max\n")
    assert memory.free(torch.device("cpu")) == 8500
    monkeypatch.setattr(memory, "_GROUP_OF_THIS", tmp_path / "nothing")
    assert memory.free(torch.device("cpu")) > 8500


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

"""vLLM as an engine: what is asked of it, with a `vllm.LLM` that notes it down."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from boldly.errors import ConfigError, ModelError
from boldly.lm.engines import vllm
from boldly.lm.model import Generation
from boldly.lm.policy import LMPolicy
from boldly.lm.sampling import Voice
from boldly.types import Prompt
from tests.lm.conftest import EOS

PROMPTS = [(1, 3, 50), (1, 40), (1, 3, 60, 61, 62, 63)]
GENERATION = Generation(max_tokens=9, engine="vllm")


@dataclass
class FakeLLM:
    """Notes what it is asked; every answer is the last token of its prompt and an end token, at -1 nat a token."""

    model: str
    settings: dict[str, Any]
    said: list[tuple[Any, ...]]
    log_prob: float = -1.0

    def __post_init__(self) -> None:
        core = SimpleNamespace(shutdown=lambda: self.said.append(("shutdown", self.model)))
        self.llm_engine = SimpleNamespace(
            engine_core=core, remove_lora=lambda number: self.said.append(("remove", number))
        )

    def generate(self, prompts, parameters, *, lora_request, use_tqdm):
        adapters = [request and request[1] for request in lora_request or [None] * len(prompts)]
        tokens = [prompt["prompt_token_ids"] for prompt in prompts]
        self.said.append(("generate", tokens, parameters, adapters))
        return [
            SimpleNamespace(
                outputs=[
                    SimpleNamespace(
                        token_ids=[prompt[-1], EOS],
                        cumulative_logprob=2 * self.log_prob,
                        logprobs=[{token: SimpleNamespace(logprob=self.log_prob)} for token in (prompt[-1], EOS)],
                    )
                ]
            )
            for prompt in tokens
        ]

    def collective_rpc(self, method, *, kwargs):
        self.said.append((method, load_file(Path(kwargs["weights_path"]) / "model.safetensors")))

    def reset_prefix_cache(self):
        self.said.append(("reset",))


@pytest.fixture
def said(monkeypatch) -> Iterator[list[tuple[Any, ...]]]:
    """What a fake vLLM was asked, in order."""
    asked: list[tuple[Any, ...]] = []

    def start(model, **settings):
        asked.append(("start", model, settings, {name: os.environ.get(name) for name in ("OMP_NUM_THREADS",)}))
        return FakeLLM(model, settings, asked)

    fake, lora = ModuleType("vllm"), ModuleType("vllm.lora.request")
    fake.__spec__ = ModuleSpec("vllm", None)
    fake.LLM, fake.SamplingParams = start, lambda **settings: settings
    lora.LoRARequest = lambda name, number, path: (name, number, path)
    monkeypatch.setitem(sys.modules, "vllm", fake)
    monkeypatch.setitem(sys.modules, "vllm.lora.request", lora)
    monkeypatch.setattr(vllm, "_RUNNING", {})
    monkeypatch.setattr(vllm, "_SETTINGS", {})
    yield asked
    vllm.stop()


def policy(lm, name="live") -> LMPolicy:
    return LMPolicy(name, lm, GENERATION)


def voice(policy: LMPolicy, n: int, seed: int = 0) -> Voice:
    return Voice(policy.lm, n, torch.Generator().manual_seed(seed), policy.in_place)


def learn(lm, part: str) -> None:
    with torch.no_grad():
        for name, weight in lm.module.named_parameters():
            if part in name:
                weight.add_(0.1)


def of(said, kind: str) -> list[tuple[Any, ...]]:
    return [entry for entry in said if entry[0] == kind]


def test_responses_come_back_to_their_prompts_and_voices(language_model, said):
    one = policy(language_model(lora=0.3))
    rows = vllm.draw([voice(one, 2), voice(one, 0), voice(one, 3)], PROMPTS, generation=GENERATION)
    assert [[len(row) for row in answers] for answers in rows] == [[2] * 3, [0] * 3, [3] * 3]
    for answers in rows:
        for prompt, row in zip(PROMPTS, answers, strict=True):
            assert all(response.tokens == (prompt[-1], EOS) and response.ended for response in row)
            assert all(response.sampled_log_prob == -2.0 for response in row)
    nothing = vllm.draw([voice(one, 0)], PROMPTS, generation=GENERATION)
    assert nothing == [[[], [], []]]
    assert vllm.draw([voice(one, 2)], [], generation=GENERATION) == [[]]
    assert len(of(said, "generate")) == 1


def test_both_voices_draw_in_one_call_under_their_own_adapters(language_model, said):
    live = policy(language_model(lora=0.0))
    base = live.freeze("iterate-0")

    def adapters(other: LMPolicy) -> list[int | None]:
        vllm.draw([voice(live, 1), voice(other, 2)], PROMPTS[:2], generation=GENERATION)
        return said[-1][3]

    assert adapters(base) == [None] * 6
    learn(live.lm, "lora_B")
    assert adapters(base) == [1, 1] + [None] * 4
    old = live.freeze("iterate-1")
    assert adapters(old) == [1] * 6
    learn(live.lm, "lora_B")
    assert adapters(old) == [2, 2, 1, 1, 1, 1]
    assert of(said, "remove") == []
    assert adapters(base) == [2, 2] + [None] * 4
    assert of(said, "remove") == [("remove", 1)]
    assert len(of(said, "start")) == 1
    assert said[0][2]["max_lora_rank"] == 8


def test_full_weights_are_pushed_when_they_are_other_ones(language_model, said):
    live = policy(language_model())
    base = live.freeze("iterate-0")

    def kinds(*voices: Voice) -> list[str]:
        said.clear()
        vllm.draw(voices, PROMPTS, generation=GENERATION)
        return [entry[0] for entry in said]

    push = ["reload_weights", "reset"]
    assert kinds(voice(live, 1), voice(base, 1)) == ["start", *push, "generate"]
    learn(live.lm, "q_proj")
    assert kinds(voice(live, 1), voice(base, 1)) == ["generate", *push, "generate"]
    pushed = said[1][1]
    assert torch.equal(
        pushed["model.layers.0.self_attn.q_proj.weight"], live.lm.module.model.layers[0].self_attn.q_proj.weight
    )
    assert kinds(voice(live, 1), voice(base, 1)) == ["generate", *push, "generate"]
    assert kinds(voice(base, 1)) == ["generate"]
    assert of(said, "generate")[0][3] == [None] * 3
    assert kinds(voice(live, 0), voice(base, 2)) == ["generate"]


def test_what_is_asked_of_a_response(language_model, said):
    lm = replace(language_model(lora=0.3), end_tokens=(EOS, 7))
    long = tuple(range(5, 5 + lm.context - 4))
    vllm.draw([voice(policy(lm), 20)], [(1, 3), long], generation=replace(GENERATION, temperature=0.7))
    parameters = said[-1][2]
    assert [p["max_tokens"] for p in parameters] == [9] * 20 + [4] * 20
    assert {p["temperature"] for p in parameters} == {0.7}
    assert len({p["seed"] for p in parameters}) == 40
    rest = {"stop_token_ids": [EOS, 7], "ignore_eos": True, "logprobs": 0, "detokenize": False}
    assert all(p.items() >= rest.items() for p in parameters)


def test_stop_strings_are_looked_for_there_and_here(language_model, said):
    """Those that begin with a space only here: what is a response's first space depends on the tokenizer."""
    lm = language_model(lora=0.3)
    (four, five) = lm.tokenizer("45", add_special_tokens=False)["input_ids"]
    generation = replace(GENERATION, stop=("4", " 5", "x"))
    ((first, second),) = vllm.draw([voice(policy(lm), 1)], [(1, four), (1, five)], generation=generation)
    assert [(r.tokens, r.ended, r.sampled_log_prob) for r in first] == [((four,), True, -1.0)]
    assert [(r.tokens, r.ended, r.sampled_log_prob) for r in second] == [((five, EOS), True, -2.0)]
    asked = said[-1][2][0]
    assert asked.items() >= {"stop": ["4", "x"], "include_stop_str_in_output": True, "detokenize": True}.items()
    assert not said[0][2]["skip_tokenizer_init"]
    vllm.draw([voice(policy(lm), 1)], PROMPTS, generation=GENERATION)
    assert [entry[2]["skip_tokenizer_init"] for entry in of(said, "start")] == [False, True]


def test_equal_seeds_ask_for_equal_draws(language_model, said):
    one = policy(language_model(lora=0.3))

    def seeds(*voices: Voice) -> list[int]:
        vllm.draw(voices, PROMPTS, generation=GENERATION)
        return [p["seed"] for p in said[-1][2]]

    first = seeds(voice(one, 2, seed=1))
    assert seeds(voice(one, 2, seed=1), voice(one, 2, seed=2)) == first + seeds(voice(one, 2, seed=2))
    assert not set(first) & set(seeds(voice(one, 2, seed=2)))


def test_how_it_is_started(language_model, said, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "77")
    lm = language_model(lora=0.3)
    vllm.draw([voice(policy(lm), 1)], PROMPTS, generation=replace(GENERATION, batch_tokens=80))
    _, model, settings, environment = said[0]
    assert model == str(lm.directory)
    assert environment == {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    assert os.environ["OMP_NUM_THREADS"] == "77"
    assert settings["dtype"] == "float32"
    assert settings["logprobs_mode"] == "processed_logprobs"
    assert settings["max_model_len"] == 80
    assert settings["kv_cache_memory_bytes"] == (80 + 512) * 2 * 2 * 2 * 4 * 4  # layers, key heads, size, bytes
    with pytest.raises(ConfigError, match="batch_tokens: 89"):
        vllm.draw([voice(policy(lm), 1)], [tuple(range(80))], generation=replace(GENERATION, batch_tokens=80))


def test_more_room_is_made_where_it_is_asked_for_and_kept(language_model, said):
    one, long = policy(language_model(lora=0.3)), [tuple(range(5, 65))]

    def rooms(prompts: list[tuple[int, ...]], batch_tokens: int) -> list[int]:
        vllm.draw([voice(one, 1)], prompts, generation=replace(GENERATION, batch_tokens=batch_tokens))
        return [settings["max_model_len"] for _, _, settings, _ in of(said, "start")]

    assert rooms(PROMPTS, 40) == [40]
    assert rooms(long, 16384) == [40, one.lm.context]
    assert rooms(PROMPTS, 40) == rooms(long, 512) == [40, one.lm.context]
    assert len(of(said, "shutdown")) == 1


@pytest.mark.parametrize(("asked", "scored"), [(16384, 1024), (512, 512)])
def test_what_it_drew_is_scored_in_batches_of_a_policy(language_model, said, monkeypatch, asked, scored):
    batches = []

    def settled(voice, prompts, answers, *, temperature, batch_tokens):
        batches.append(batch_tokens)
        return answers, None

    monkeypatch.setattr(vllm, "settled", settled)
    vllm.draw([voice(policy(language_model()), 1)], PROMPTS, generation=replace(GENERATION, batch_tokens=asked))
    assert batches == [scored]


def test_another_base_takes_its_place(language_model, said):
    one, two = (policy(language_model(lora=0.3, seed=seed)) for seed in (1, 2))
    for speaker in (one, two, two):
        vllm.draw([voice(speaker, 1)], PROMPTS, generation=GENERATION)
    kinds = [(entry[0], entry[1]) for entry in said if entry[0] in ("start", "shutdown")]
    first, second = str(one.lm.directory), str(two.lm.directory)
    assert kinds == [("start", first), ("shutdown", first), ("start", second)]


def test_numbers_that_are_wrong_are_warned_of_and_not_kept(language_model, said, caplog):
    one = policy(language_model(lora=0.3))
    prompts = [Prompt("a"), Prompt("b c")]
    rows = one.sample(prompts, 2, seed=0)
    assert "nats a token" in caplog.text
    flat = [response for row in rows for response in row]
    asked = [prompt for prompt in prompts for _ in range(2)]
    assert [r.log_prob for r in flat] == pytest.approx(one.log_probs(asked, flat).tolist(), abs=1e-5)
    assert {r.sampled_log_prob for r in flat} == {-2.0}


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_numbers_that_are_not_finite_are_an_error(language_model, said, value):
    one = policy(language_model(lora=0.3))
    vllm.draw([voice(one, 1)], PROMPTS, generation=GENERATION)
    next(iter(vllm._RUNNING.values())).llm.log_prob = value
    with pytest.raises(ModelError, match="not finite"):
        vllm.draw([voice(one, 1)], PROMPTS, generation=GENERATION)


def test_a_model_that_it_does_not_know_is_named(language_model, said):
    def start(model, **settings):
        raise ValueError("no such architecture\nand much more")

    sys.modules["vllm"].LLM = start
    with pytest.raises(ModelError, match=r"no such architecture\); write `generation: {engine: auto}`"):
        vllm.draw([voice(policy(language_model()), 1)], PROMPTS, generation=GENERATION)


def test_temperatures_that_it_would_raise_are_refused(language_model, said):
    with pytest.raises(ConfigError, match=r"temperature: 1\.0"):
        vllm.draw([voice(policy(language_model()), 1)], PROMPTS, generation=replace(GENERATION, temperature=1e-3))
    assert said == []


def test_ranks_that_it_has_no_room_for_are_refused(language_model, said):
    lm = language_model(lora=0.3)
    lm.module.peft_config["default"].r = 513
    with pytest.raises(ConfigError, match="rank: 512"):
        vllm.draw([voice(policy(lm), 1)], PROMPTS, generation=GENERATION)

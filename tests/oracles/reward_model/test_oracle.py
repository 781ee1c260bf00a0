"""Scores against transformers' own, one text at a time; verdicts against the scores."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from boldly.oracles.bradley_terry import sigmoid
from boldly.oracles.reward_model import RewardModel, reward_model
from boldly.oracles.reward_model.load import load
from boldly.testing import OracleContract, query
from boldly.testing.build import response
from boldly.types import Failure, Message, Preference, Prompt, Query, Tie

Factory = Callable[..., Path]
TEXTS = ["", "b", "aaa", "a longer answer", "ends <eos>", "b" * 40, "é 😀"]
PROMPT = Prompt("how many ?")
KINDS = [
    pytest.param("llama", {}, id="llama"),
    pytest.param("llama", {"pad_token_id": 2}, id="llama-pad-is-eos"),
    pytest.param("llama", {"pad_token_id": -1}, id="llama-pad-is-minus-one"),
    pytest.param("gpt2", {}, id="gpt2-without-pad"),
    pytest.param("bert", {}, id="bert"),
]


def query_of(a: str, b: str, prompt: Prompt = PROMPT) -> Query:
    return Query(prompt, response(a), response(b), 0, 0)


def alone(directory: Path, ids: list[int]) -> float:
    """The score that transformers gives a text by itself."""
    module = AutoModelForSequenceClassification.from_pretrained(directory)
    with torch.no_grad():
        return module(input_ids=torch.tensor([ids])).logits.item()


class TestContract(OracleContract):
    """Every oracle has scored nothing yet; what they load is loaded once."""

    @pytest.fixture(autouse=True)
    def _loaded(self, reward_directory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = str(reward_directory())
        loaded = load(self.directory, device="cpu", dtype="float32")
        monkeypatch.setattr("boldly.oracles.reward_model.oracle.load", lambda *_, **__: loaded)

    def make(self, seed: int) -> RewardModel:
        return reward_model(model=self.directory, seed=seed)


@pytest.mark.parametrize(("kind", "config"), KINDS)
@pytest.mark.parametrize("batch_tokens", [1, 60, 100_000])
def test_scores_are_transformers_own_of_each_text_alone(
    reward_directory: Factory, kind: str, config: dict[str, Any], batch_tokens: int
):
    """The tokenizer pads on the left and knows a pad that the model may not: neither may matter."""
    directory = reward_directory(kind, **config)
    oracle = reward_model(model=str(directory), batch_tokens=batch_tokens)
    oracle.prepare([PROMPT] * len(TEXTS), [response(text) for text in TEXTS])
    tokenizer = AutoTokenizer.from_pretrained(directory)
    for text in TEXTS:
        # <eos> within a response is words and no token, as tests/oracles/reward_model/test_texts.py says.
        ids = [1, 3, *_bytes(tokenizer, "how many ?"), 2, 4, *_bytes(tokenizer, text), 2]
        assert oracle.reward(PROMPT, response(text)) == pytest.approx(alone(directory, ids), abs=1e-5)


def _bytes(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]


def test_order_and_company_change_nothing(reward_directory: Factory):
    directory = str(reward_directory("gpt2"))
    responses = [response(text) for text in TEXTS]
    forward, back = reward_model(model=directory), reward_model(model=directory, batch_tokens=80)
    forward.prepare([PROMPT] * len(TEXTS), responses)
    back.prepare([PROMPT] * len(TEXTS), responses[::-1])
    for one in responses:
        alone = reward_model(model=directory).reward(PROMPT, one)
        assert forward.reward(PROMPT, one) == pytest.approx(alone, abs=1e-5)
        assert back.reward(PROMPT, one) == pytest.approx(alone, abs=1e-5)


def test_the_higher_score_wins_and_a_scale_is_bradley_terry(reward_directory: Factory):
    directory = str(reward_directory())
    hard, soft = reward_model(model=directory), reward_model(model=directory, scale=0.7)
    asked = [query(place, a=a, b=b) for place, (a, b) in enumerate((a, b) for a in TEXTS for b in TEXTS if a != b)]
    wins = 0
    for one, said, believed in zip(asked, hard(asked), soft(asked), strict=True):
        a, b = hard.reward(one.prompt, one.a), hard.reward(one.prompt, one.b)
        assert said.verdict == Preference(float(a > b))
        assert isinstance(believed.verdict, Preference)
        assert believed.verdict.probability == pytest.approx(sigmoid(0.7 * (a - b)), abs=1e-6)
        assert (said.facts["score_a"], said.facts["score_b"]) == (a, b)
        assert said.facts["config"] == next(iter(hard([one]))).facts["config"] != believed.facts["config"]
        wins += a > b
    assert 0 < wins < len(asked)


@pytest.mark.parametrize("scale", [None, 1.0])
def test_equal_scores_tie(reward_directory: Factory, scale: float | None):
    (said,) = reward_model(model=str(reward_directory()), scale=scale)([query_of("same", "same")])
    assert said.verdict == Tie()


def test_a_text_beyond_the_context_has_failed_and_its_neighbours_have_not(reward_directory: Factory):
    directory = str(reward_directory())
    long = query_of("b" * 100, "b")
    fine = query_of("aaa", "b")
    oracle = reward_model(model=directory, price=0.5)
    said = {answer.query.id: answer for answer in oracle([long, fine])}
    failure = said[long.id].verdict
    assert isinstance(failure, Failure)
    assert "for a: prompt and response have 115 tokens, and the reward model reads 96" in failure.reason
    assert said[long.id].price == 0.0
    assert isinstance(said[fine.id].verdict, Preference)
    assert said[fine.id].price == oracle.bound(fine) == 0.5
    with pytest.raises(ValueError, match="115 tokens"):
        oracle.reward(PROMPT, long.a)
    (short,) = reward_model(model=directory, max_length=40)([query_of("b" * 40, "b")])
    assert isinstance(short.verdict, Failure)
    assert "reads 40" in short.verdict.reason


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_score_that_is_not_finite_is_a_failure(
    reward_directory: Factory, monkeypatch: pytest.MonkeyPatch, value: float
):
    """An overflow in a later layer: weights and the trial were fine, this text is not."""
    oracle = reward_model(model=str(reward_directory()))
    head = oracle._loaded.module.score
    forward = head.forward
    monkeypatch.setattr(head, "forward", lambda hidden: forward(hidden) * value)
    (said,) = oracle([query_of("aaa", "b")])
    assert isinstance(said.verdict, Failure)
    assert "not finite" in said.verdict.reason
    assert json.loads(json.dumps(dict(said.facts))) == said.facts


def test_a_template_that_refuses_a_chat_fails_that_query_alone(reward_directory: Factory):
    oracle = reward_model(model=str(reward_directory()))
    chat = Prompt((Message("system", "be good"), Message("user", "hi")))
    first, second = oracle([query_of("a", "b", chat), query_of("a", "b")])
    assert isinstance(first.verdict, Failure)
    assert "there is no system turn" in first.verdict.reason
    assert isinstance(second.verdict, Preference)


def test_memory_that_runs_out_halves_the_batch(reward_directory: Factory, monkeypatch: pytest.MonkeyPatch):
    directory = str(reward_directory())
    expected = reward_model(model=directory)
    oracle = reward_model(model=directory)
    module, sizes = oracle._loaded.module, []
    forward = module.forward

    def scarce(input_ids: torch.Tensor, **rest: Any) -> Any:
        sizes.append(len(input_ids))
        if len(input_ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(input_ids=input_ids, **rest)

    monkeypatch.setattr(module, "forward", scarce)
    oracle.prepare([PROMPT] * len(TEXTS), [response(text) for text in TEXTS])
    assert max(sizes) == len(TEXTS)
    for text in TEXTS:
        assert oracle.reward(PROMPT, response(text)) == pytest.approx(expected.reward(PROMPT, response(text)), abs=1e-5)


def test_a_response_is_scored_once(reward_directory: Factory, monkeypatch: pytest.MonkeyPatch):
    oracle = reward_model(model=str(reward_directory()))
    oracle.prepare([PROMPT], [response("aaa")])
    expected = oracle.reward(PROMPT, response("aaa"))
    monkeypatch.setattr(oracle._loaded.module, "forward", None)
    assert oracle.reward(PROMPT, response("aaa", origin="iterate-3")) == expected


def test_bfloat16_scores_do_not_lie_on_a_coarse_grid(reward_directory: Factory):
    """Scores of 40 texts near 5 in bfloat16 would take a handful of values, 1/32 apart, and tie."""
    directory = reward_directory("llama")
    oracle = reward_model(model=str(directory), dtype="bfloat16")
    fine = reward_model(model=str(directory), dtype="float32")
    responses = [response("b" * n) for n in range(40)]
    scores = [oracle.reward(PROMPT, one) for one in responses]
    assert sum(score == torch.tensor(score).bfloat16().item() for score in scores) <= 2
    assert max(abs(s - fine.reward(PROMPT, one)) for s, one in zip(scores, responses, strict=True)) < 0.2

import math
from dataclasses import replace

import pytest

from boldly.config.reading import read_config
from boldly.lm import policy
from boldly.lm.engines import engine
from boldly.metrics import read
from boldly.metrics.mismatch import mismatch
from boldly.runner import RunDirectory, execute
from boldly.types import Prompt, Query, Response


def said(tokens: int, scored: float, sampled: float) -> Response:
    return Response("x" * tokens, (5,) * tokens, "iterate-0", scored, sampled)


def query(a: Response, b: Response, explore: Response | None = None) -> Query:
    return Query(Prompt("p"), a, b, 0, 0, explore)


def test_it_is_the_mean_over_tokens_of_each_response_once():
    one, two, three = said(2, -3.0, -3.5), said(5, -4.0, -3.8), said(3, -1.0, -1.0)
    assert mismatch([query(one, two)]) == pytest.approx(0.7 / 7)
    assert mismatch([query(one, two, two)]) == pytest.approx(0.7 / 7)
    assert mismatch([query(one, two, three), query(two, one)]) == pytest.approx(0.7 / 10)


def test_recorded_responses_have_none():
    recorded = said(4, math.nan, math.nan)
    assert mismatch([query(recorded, replace(recorded, text="y"))]) is None
    assert mismatch([query(recorded, said(2, -3.0, -3.5))]) == pytest.approx(0.25)
    assert mismatch([]) is None


@pytest.mark.parametrize(("temperature", "expected"), [(1.0, pytest.approx(0.01)), (0.9, None)])
def test_a_run_records_it(tmp_path, monkeypatch, temperature, expected):
    """An engine that says 0.01 nats a token too much of what it draws."""

    def draw(voices, prompts, *, generation):
        drawn = engine("plain")(voices, prompts, generation=replace(generation, engine="plain"))
        return [
            [[replace(r, sampled_log_prob=r.log_prob + 0.01 * len(r.tokens)) for r in row] for row in rows]
            for rows in drawn
        ]

    monkeypatch.setattr(policy, "engine", lambda name: draw if name == "vllm" else engine(name))
    settings = {
        "recipe": "xpo",
        "output": str(tmp_path / "run"),
        "budget": 8,
        "schedule": {"labels_per_round": 8},
        "evaluation": {"prompts": 8},
        "generation": {"max_tokens": 12, "engine": "vllm", "temperature": temperature},
        "learner": {"name": "preference", "steps": 1, "batch": 8},
    }
    execute(read_config(arguments=settings))
    base, first = read(RunDirectory(tmp_path / "run").metrics)
    assert base.mismatch is None
    assert first.mismatch == expected

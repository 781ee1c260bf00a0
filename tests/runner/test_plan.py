"""What a run would buy, take and send; it asks nobody and writes nothing."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import boldly
from boldly.config.reading import read_config
from boldly.lm.policy import LMPolicy
from boldly.oracles import Oracle, Program
from boldly.oracles.protocol import Answer
from boldly.runner import plan as planning
from boldly.runner.plan import plan
from boldly.types import Prompt, Query, Response
from tests.support.small import SMALL, write_prompts

KEYS = {**SMALL, "budget": 10, "oracle": {"name": "people", "price": 0.5}}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_prompts()


def planned(held: Oracle | None = None, **keys: Any):
    return plan(read_config(arguments={**KEYS, **keys}), held)


def test_labels_rounds_and_money_of_a_new_run():
    before = {path.name for path in Path().iterdir()}
    found = planned(evaluation={"prompts": 4, "labels": 6, "money": 1.0}, consistency={"share": 0.25})
    assert {path.name for path in Path().iterdir()} == before
    assert (found.kept, found.rounds, found.recipe, found.run) == (0, 3, "online-dpo", Path("mine"))
    assert [(p.account, p.labels, p.each, p.most) for p in found.purchases] == [
        ("training", 10, 0.5, 5.0),
        ("evaluation", 6, 0.5, 1.0),
        ("consistency", 3, 0.5, 1.5),
    ]
    assert found.responses == 3 * 4 * 2
    assert all(seconds > 0 for seconds in found.seconds.values())
    assert found.measured.startswith("measured on ")
    assert found.disk > 0
    assert found.sent["ledger"] == "mine/ledger.sqlite"
    assert any(name.startswith("people (training") for name in found.sent)


class Slow:
    """A policy of which each response takes `pace` seconds, on a clock of its own."""

    def __init__(self, pace: float) -> None:
        self.pace, self.now, self.asked = pace, 0.0, list[int]()

    def draw(self, policy: LMPolicy, prompts: Sequence[Prompt], seed: int):
        begun = policy.generation.max_tokens > 1
        self.now += self.pace * 2 * len(prompts) if begun else 60.0
        self.asked += [len(prompts)] if begun else []
        return [[response(), response()] for _ in prompts], (self.pace, 0.0)


def response() -> Response:
    return Response("yes", (1,), "iterate-0", -1.0, -1.0)


@pytest.mark.parametrize(
    ("pace", "asked"),
    [(0.001, [1, 4, 16, 32]), (0.3, [1, 4]), (200.0, [1])],
    ids=["quick", "slow", "hopeless"],
)
def test_a_slow_model_is_measured_on_fewer_prompts(pace: float, asked: list[int], monkeypatch: pytest.MonkeyPatch):
    """What it takes to start is not counted: here a minute."""
    slow = Slow(pace)
    monkeypatch.setattr(planning, "_draw", slow.draw)
    monkeypatch.setattr(planning, "time", SimpleNamespace(perf_counter=lambda: slow.now))
    found = planned()
    assert slow.asked == asked
    assert found.seconds["sampling"] == pytest.approx(found.responses * pace)
    if asked[-1] == 32:
        assert found.measured == "measured on 32 prompts"
    else:
        said = f"measured on {asked[-1]} prompt{'' if asked[-1] == 1 else 's'}"
        assert found.measured == f"{said}, as 32 would take more than 10 s"
    assert [p.most for p in found.purchases] == [5.0]


def test_nobody_is_asked():
    class Silent(Program):
        def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]:
            raise AssertionError("asked")

    def reward(prompt: object, response: object) -> float:
        raise AssertionError("asked")

    found = planned(Silent(reward, price=0.25, timeout=None), money=2.0)
    assert [(p.account, p.each, p.most) for p in found.purchases] == [("training", 0.25, 2.0)]


def test_a_run_that_was_begun_has_less_left():
    """Four of ten labels and 1 of 4 are spent; the times are those that its rounds took."""
    Path("oracle.py").write_text("def prefer(prompt, a, b):\n    return len(a.text) > len(b.text)\n")
    oracle = {"name": "program", "function": "oracle.py:prefer", "price": 0.25, "timeout": None}
    boldly.run(**{**KEYS, "oracle": oracle, "budget": 4})
    found = planned(oracle=oracle, money=1.5)
    assert (found.kept, found.rounds) == (4, 2)
    assert [(p.labels, p.each, p.most) for p in found.purchases] == [(6, 0.25, 0.5)]
    assert found.measured == "measured in its past rounds"

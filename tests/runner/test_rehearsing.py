"""A configuration with a simulated labeller in place of whoever it names."""

from typing import Any

import pytest

from boldly.config.building import build_oracle
from boldly.config.reading import read_config
from boldly.oracles.rehearsal import KNOBS, REWARD
from boldly.runner.rehearsing import rehearsed

JUDGE = {"name": "judge", "model": "m", "base_url": "http://localhost:1/v1", "price_in": 1.0, "price_out": 10.0}


def config(oracle: Any, **keys: Any):
    return read_config(arguments={"recipe": "xpo", "oracle": oracle, "output": "runs/x", **keys})


@pytest.mark.parametrize("oracle", [JUDGE, {"name": "people", "price": 0.4}])
def test_whoever_is_named_is_stood_in_for_with_their_habits(oracle: dict[str, Any]):
    kind = oracle["name"]
    found = rehearsed(config(oracle, evaluation={"oracle": oracle}, consistency={"oracle": oracle}))
    assert found.oracle.name == "bradley_terry"
    assert found.oracle.options["function"] == REWARD
    assert KNOBS[kind].items() <= found.oracle.options.items()
    assert found.output == "runs/x-rehearsal"
    assert (found.evaluation.oracle, found.consistency and found.consistency.oracle) == (None, None)
    assert build_oracle(found.oracle).name.startswith("bradley_terry")


def test_rounds_are_drawn_as_far_ahead_as_for_whoever_is_named():
    assert [rehearsed(config(oracle)).ahead for oracle in (JUDGE, {"name": "people"})] == [0, 1]


def test_the_price_is_that_of_the_oracle():
    assert rehearsed(config({"name": "people", "price": 0.4})).oracle.options["price"] == 0.4
    assert 2 * 1024 * 10e-6 < rehearsed(config(JUDGE)).oracle.options["price"] < 2 * 1024 * 10e-6 + 0.01


def test_a_judge_without_its_key_can_be_rehearsed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    abroad = JUDGE | {"base_url": "https://judge.invalid/v1"}
    assert rehearsed(config(abroad)).oracle.options["price"] == 0.0


def test_the_key_rehearsal_comes_first():
    found = rehearsed(config(JUDGE, rehearsal={"flip": 0.0, "outage_from": 3, "outage_to": 5, "price": 2.0}))
    wanted = {"flip": 0.0, "outage_from": 3, "outage_to": 5, "price": 2.0}
    assert wanted.items() <= found.oracle.options.items()


def test_what_is_simulated_already_stays():
    mine = {"name": "bradley_terry", "function": "boldly.data.task:reward", "scale": 3.0}
    before = config(mine, ledger="postgresql://h/d?schema=s", labels="runs/other")
    found = rehearsed(before)
    assert found.oracle == before.oracle
    assert (found.ledger, found.labels) == ("", "")

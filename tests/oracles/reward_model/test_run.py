"""A run whose labels a reward model gives: random scores, but a run to its end."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boldly
from boldly.ledger.sql import SqlLedger
from boldly.oracles.reward_model import RewardModel
from boldly.runner import RunDirectory
from boldly.types import Preference

SMALL: dict[str, Any] = {
    "recipe": "xpo",
    "budget": 16,
    "schedule": {"labels_per_round": 8},
    "evaluation": {"prompts": 8},
    "generation": {"max_tokens": 12},
    "learner": {"name": "preference", "steps": 2, "batch": 8},
}


def test_a_run_ends_and_keeps_what_the_labels_were_made_of(reward_directory: Callable[..., Path], tmp_path: Path):
    directory = str(reward_directory(template=None, context=256))
    result = boldly.run(oracle={"name": "reward_model", "model": directory}, output=str(tmp_path / "run"), **SMALL)
    assert result.labels == 16
    assert result.chosen_by == "reward"
    oracle = RewardModel(directory)
    ledger = SqlLedger(RunDirectory(tmp_path / "run").ledger, read_only=True)
    for label in ledger.labels():
        a, b = (oracle.reward(label.query.prompt, y) for y in (label.query.a, label.query.b))
        assert isinstance(label.verdict, Preference)
        assert label.verdict.probability == float(a > b)
        assert abs(label.facts["score_a"] - a) < 1e-5
        assert (label.source, label.provenance) == (f"reward_model:{directory}", "bought")
        assert json.loads(json.dumps(dict(label.facts))) == label.facts
    ledger.close()

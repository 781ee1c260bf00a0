import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from boldly.config import desk
from boldly.config.reading import read_config
from boldly.config.saving import dump
from boldly.ledger import Budget
from boldly.ledger.sql.desk import Rules
from boldly.types import Preference


def saved(run: Path, **keys: Any) -> Path:
    """A run directory with these keys, every other one resolved as a run resolves it."""
    file = run / "given.yaml"
    file.write_text(yaml.safe_dump(keys))
    (run / "config.yaml").write_text(dump(read_config(file)))
    return run


def test_the_rules_are_what_the_run_was_started_with(tmp_path: Path):
    planted = tmp_path / "planted.jsonl"
    planted.write_text('{"prompt": "p", "chosen": "good", "rejected": "bad"}\n')
    people = {"name": "people", "price": 0.5, "overlap": 3, "planted": str(planted), "planted_rate": 0.1}
    further = {"repeat_rate": 0.2, "lease_seconds": 60, "confirm": True}
    run = saved(tmp_path, oracle={**people, **further}, budget=80, money=60.0, seed=7, consistency={"labels": 9})
    rules = desk.rules(run)
    assert [(record.prompt.text, record.a, record.verdict) for record in rules.planted] == [
        ("p", "good", Preference(1.0))
    ]
    assert rules == Rules(
        budgets={"training": Budget(80, 60.0), "evaluation": Budget(None, None), "consistency": Budget(9, None)},
        prices={"training": 0.5, "evaluation": 0.5, "consistency": 0.5},
        accounts=("training", "evaluation", "consistency"),
        seed=7,
        overlap=3,
        planted=rules.planted,
        planted_rate=0.1,
        repeat_rate=0.2,
        lease_seconds=60,
    )


def test_people_may_judge_alone(tmp_path: Path):
    """Who trains is a program here, and people answer the held-out queries alone, at their own price."""
    judged = {"labels": 20, "oracle": {"name": "people", "price": 0.2, "overlap": 2}}
    rules = desk.rules(saved(tmp_path, evaluation=judged))
    assert rules.accounts == ("evaluation",)
    assert (rules.prices["training"], rules.prices["evaluation"], rules.overlap) == (0.0, 0.2, 2)
    assert rules.budgets["evaluation"] == Budget(20, None)


def test_recorded_labels_are_not_asked_for_again(tmp_path: Path):
    assert "training" not in desk.rules(saved(tmp_path, oracle="people", labels="labels.jsonl")).accounts


def test_the_rules_are_read_without_importing_torch(tmp_path: Path):
    """The page and `boldly tell` begin at once."""
    code = f"import sys; from boldly.config import desk; desk.rules(__import__('pathlib').Path({str(tmp_path)!r})); "
    (tmp_path / "config.yaml").write_text("oracle: {name: people}\n")
    subprocess.run([sys.executable, "-c", code + "assert 'torch' not in sys.modules"], check=True)


@pytest.mark.parametrize(
    "wrong",
    [{"overlap": 0}, {"planted_rate": 1.5}, {"repeat_rate": -0.1}, {"lease_seconds": 1}, {"confirm": "yes"}],
    ids=str,
)
def test_options_out_of_bounds_are_refused(tmp_path: Path, wrong: dict[str, Any]):
    from boldly.errors import ConfigError

    with pytest.raises(ConfigError, match=f"oracle.{next(iter(wrong))}"):
        saved(tmp_path, oracle={"name": "people", **wrong})

"""A configuration so small that a run takes a few seconds, in the folder that a test works in."""

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from boldly import data
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.verify import audit
from boldly.types import Account, Label

SMALL: Mapping[str, Any] = {
    "recipe": "online-dpo",
    "prompts": "prompts.jsonl",
    "heldout": 6,
    "budget": 8,
    "schedule": {"labels_per_round": 4},
    "evaluation": {"prompts": 4},
    "generation": {"max_tokens": 8},
    "learner": {"name": "preference", "steps": 1, "batch": 4},
    "output": "mine",
}


def write(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


def configured(**keys: Any) -> str:
    """A configuration file with these keys, beside the prompts that it names."""
    facts = [json.dumps({"prompt": prompt.text, **prompt.facts}) for prompt in data.prompts()[:40]]
    write("prompts.jsonl", "\n".join(facts))
    return write("run.yaml", yaml.safe_dump({**SMALL, **keys}))


def judging(url: str, **options: Any) -> dict[str, Any]:
    """A judge at this address, quick to give up; a token in costs 0.001, one out 0.002."""
    prices = {"price_in": 1000.0, "price_out": 2000.0}
    return {"name": "judge", "model": "m", "base_url": url, "total_time": 0.4, "max_tokens": 16, **prices, **options}


def labels(root: str | Path, account: Account = "training") -> tuple[Label, ...]:
    """The labels of a run, whose ledger breaks no rule."""
    location = Path(root, "ledger.sqlite")
    found = audit(location)
    assert found.ok, found.violations
    with closing(SqlLedger(location, read_only=True)) as ledger:
        return ledger.labels(account)

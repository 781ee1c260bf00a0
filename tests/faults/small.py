"""A run of a few seconds in the folder that a test works in: its configuration, its ledger, its labels."""

from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.verify import audit
from boldly.types import Account, Label
from tests.support.small import SMALL, write_prompts


def write(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


def configured(**keys: Any) -> str:
    """A configuration file with these keys, beside the prompts that it names."""
    write_prompts()
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

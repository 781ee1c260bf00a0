"""What the configuration of a run says of people: their budgets and prices, and the rules of their page.

Read from the configuration that is kept with the run, without importing a method.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boldly.config.documents import read_document
from boldly.config.locations import CONFIG_FILE
from boldly.ledger.protocol import Budget
from boldly.ledger.sql.desk import Rules
from boldly.oracles.people import planted_records
from boldly.types import ACCOUNTS, Account

PEOPLE = "people"
_PASSED_ON = ("overlap", "planted_rate", "repeat_rate", "lease_seconds")

Values = Mapping[str, Any]


def rules(run: Path) -> Rules:
    """The rules of the page of a run. Raises `ConfigError` where its configuration can't be read, and `InvalidInput`
    for a file of planted pairs that can't be used.
    """
    values = read_document(run / CONFIG_FILE).values
    options = page(values)
    planted = options.get("planted")
    return Rules(
        budgets={account: budget(values, account) for account in ACCOUNTS},
        prices={account: price(values, account) for account in ACCOUNTS},
        accounts=tuple(account for account in ACCOUNTS if _answered(values, account)),
        seed=int(values.get("seed", 0)),
        planted=planted_records(str(planted)) if planted else (),
        **{name: options[name] for name in _PASSED_ON if name in options},
    )


def page(values: Values) -> Values:
    """The options of the people who label in a configuration: of those who train it, else of those who judge it."""
    return next((_oracle(values, account) for account in ACCOUNTS if _answered(values, account)), {})


def budget(values: Values, account: Account) -> Budget:
    """What a configuration allows in an account."""
    if account == "training":
        return Budget(values.get("budget"), values.get("money"))
    section: Values = values.get(account) or {}
    return Budget(section.get("labels"), section.get("money"))


def price(values: Values, account: Account) -> float:
    """What one person's verdict costs in an account: the price of its oracle where that is people."""
    oracle = _oracle(values, account)
    return float(oracle.get("price", 0.0)) if oracle.get("name") == PEOPLE else 0.0


def _answered(values: Values, account: Account) -> bool:
    """Whether people answer the queries of an account."""
    recorded = account == "training" and bool(values.get("labels"))
    return not recorded and _oracle(values, account).get("name") == PEOPLE


def _oracle(values: Values, account: Account) -> Values:
    section: Values = values if account == "training" else values.get(account) or {}
    return section.get("oracle") or values.get("oracle") or {}

"""Log-probabilities under frozen policies, as rows."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from boldly.ledger.sql import schema
from boldly.ledger.sql.asking import at_once

_TABLE = schema.log_probs.c
_VALUES = select(_TABLE.prompt, _TABLE.response, _TABLE.value)


def log_probs(
    connection: Connection, policy: str, keys: Collection[tuple[str, str]] | None
) -> dict[tuple[str, str], float]:
    """Those of a policy that are stored: all, or those of some prompts and responses."""
    if keys is None:
        wanted = [_VALUES.where(_TABLE.policy == policy)]
    else:
        wanted = [_VALUES.where(or_(*(_row(policy, *key) for key in some))) for some in at_once(keys)]
    return {(prompt, said): value for each in wanted for prompt, said, value in connection.execute(each)}


def _row(policy: str, prompt: str, response: str) -> ColumnElement[bool]:
    return and_(_TABLE.policy == policy, _TABLE.prompt == prompt, _TABLE.response == response)

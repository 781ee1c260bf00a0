"""What a key says, and what the ledger of a page that is served has of it."""

from typing import Any

from boldly.types import BothBad, Preference, Tie
from tests.support.live_pages import Served


def verdicts(served: Served) -> dict[int, Any]:
    """The verdict that counts for each pair, by its number."""
    with served.reader() as ledger:
        return {label.query.place: label.verdict for label in ledger.labels()}


def done(served: Served) -> list[tuple[str, str]]:
    """What people did and what became of it, in order."""
    return [(choice.action, choice.outcome) for choice in served.choices()]


def said(key: str, left: str) -> Any:
    """What a key says where `left` is the response on the left."""
    sides = {"1": "alpha", "ArrowLeft": "alpha", "2": "beta", "ArrowRight": "beta"}
    if key in sides:
        return Preference(1.0 if left == sides[key] else 0.0)
    return Tie() if key in ("0", "ArrowDown") else BothBad()

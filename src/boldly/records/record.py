"""A label as a file or another ledger holds it: who said what of which two responses, and where that is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, NamedTuple

from boldly.types import Account, Preference, Prompt, Response, Verdict, content_id

PEOPLE = "people"
"""The source of a verdict that a person gave."""


class Pair(NamedTuple):
    """Two texts about one prompt, in this order; space around them and the prompt's facts make no difference."""

    prompt: str
    a: str
    b: str

    @property
    def swapped(self) -> "Pair":
        return Pair(self.prompt, self.b, self.a)


def pair_of(prompt: Prompt, a: str, b: str) -> Pair:
    """What identifies two responses by content; a plain prompt is one message of the user."""
    return Pair(content_id(prompt.messages), a.strip(), b.strip())


@dataclass(frozen=True, slots=True)
class Record:
    """A verdict on two texts about one prompt.

    `source` is who gave it, `facts` what is kept with it ("annotator", "order"), `place` where it is written
    ("labels.jsonl:3"). `query_id` names the query it answers, where that is known. `responses` are the responses with
    their tokens, where the record comes from a ledger; a file has their texts alone.
    """

    prompt: Prompt
    a: str
    b: str
    verdict: Verdict
    source: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    place: str = ""
    query_id: str | None = None
    account: Account = "training"
    responses: tuple[Response, Response] | None = None

    @property
    def pair(self) -> Pair:
        return pair_of(self.prompt, self.a, self.b)

    @property
    def where(self) -> str:
        """The place without the directories of this machine, as it is kept with a verdict."""
        return PurePath(self.place).name


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that can't be read: where it is, and which column holds what, and what to write instead."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}."


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """A row that nobody has answered yet."""

    place: str


Entry = Record | Fault | Unlabelled
"""What a row of a file comes to."""


class BadRow(Exception):
    """What is wrong with a row, raised by the reader of its format."""


def swapped_verdict(verdict: Verdict) -> Verdict:
    """The verdict with `a` and `b` the other way round."""
    return Preference(1.0 - verdict.probability) if isinstance(verdict, Preference) else verdict


def swapped_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a verdict with `a` and `b` the other way round: their order, where one of them was shown first."""
    order = facts.get("order")
    return {**facts, "order": order[::-1]} if order in ("ab", "ba") else dict(facts)

"""How an answer is read: the probability that the response shown first is better, a refusal, or nothing at all.

| the answer | read as |
|---|---|
| a refusal of the model, or `finish_reason` content_filter | declined |
| log-probabilities of A or B at the first place, together at least `LEAST_MASS` | P(A) / (P(A) + P(B)) |
| log-probabilities of neither | unreadable |
| `finish_reason` length | unreadable: what was cut may have ended otherwise |
| no text (only reasoning, or nothing) | unreadable |
| JSON of the schema, each field once | its verdict |
| one of A, B, tie alone, with a word such as "Verdict:" before it or signs such as ** around it | that |
| any other text: both letters, prose, another language, a refusal in prose | unreadable |
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from boldly.oracles.judge.answers import Answer
from boldly.oracles.judge.settings import Mode

LEAST_MASS = 0.05
"""Less than this on A and B together says that the judge was about to write something else."""


@dataclass(frozen=True, slots=True)
class Said:
    """The response shown first is better with probability `p`; `soft` where log-probabilities said so.

    `bounded` marks a letter that was not reported and so counts with the smallest probability that was.
    """

    p: float
    soft: bool = False
    bounded: bool = False


@dataclass(frozen=True, slots=True)
class Declined:
    """The judge would not say."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """No verdict can be read."""

    reason: str


Read = Said | Declined | Unreadable

_LETTER = re.compile(
    r"""[\s*_"'`(\[.#]*
    (?:(?:the\ )?(?:better|final)?\ ?(?:verdict|answer|winner|response|choice)\b(?:\ is\b)?\s*[:=]?[\s*_"'`(\[]*)?
    (?:response\ )?
    \b(?P<letter>A|B|tie)\b
    [\s*_"'`)\].!]*""",
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)
_LONGEST = 60
_THOUGHT = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
_CODE = re.compile(r"\s*```(?:json)?\s*\n(?P<inside>.*?)\n?```\s*", re.DOTALL)
_WORDS = {"a": 1.0, "b": 0.0, "tie": 0.5}


class StructuredVerdict(BaseModel):
    """What a structured answer holds. The reason comes first, so that the verdict follows from it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str
    verdict: Literal["A", "B", "tie"]


def response_format() -> dict[str, Any]:
    """The schema of `StructuredVerdict` as a request names it."""
    schema = {key: value for key, value in StructuredVerdict.model_json_schema().items() if key != "description"}
    return {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": schema}}


def read(answer: Answer, mode: Mode) -> Read:
    """What an answer says, by the table above."""
    if answer["refusal"] or answer["finish"] == "content_filter":
        return Declined(f"the judge declined: {_short(answer['refusal'] or 'its content filter stopped it')}")
    if mode == "logprobs" and answer["tops"]:
        return read_letters([(token, logprob) for token, logprob in answer["tops"]])
    if answer["finish"] == "length":
        return Unreadable("the judge's answer was cut at its limit of tokens; write a higher `max_tokens`")
    thought = _THOUGHT.match(answer["text"])
    text = answer["text"][thought.end() :] if thought else answer["text"]
    if not text.strip():
        reasoned = thought or answer["reasoning"]
        return Unreadable("the judge only reasoned and gave no verdict" if reasoned else "the judge's answer is empty")
    return read_structured(text) if mode == "structured" else read_text(text)


def read_letters(tops: Sequence[tuple[str, float]]) -> Said | Unreadable:
    """P(A) / (P(A) + P(B)) by the log-probabilities (nats) of the first token's alternatives.

    Variants of a letter ("A", " A", "a") count together. A letter that is not among them has at most the smallest
    probability that is, and at most what all of them leave; it counts with the lesser of the two.
    """
    mass = {"a": 0.0, "b": 0.0}
    for token, logprob in tops:
        letter = token.strip(" \t\r\n\u2581\u0120\u010a").lower()
        if letter in mass:
            mass[letter] += math.exp(logprob)
    if sum(mass.values()) < LEAST_MASS:
        return Unreadable(f"the judge gives A and B {sum(mass.values()):.2g} of its first token together")
    missing = 0.0 in mass.values()
    if missing:
        told = [math.exp(logprob) for _, logprob in tops]
        most = min(min(told), max(0.0, 1.0 - math.fsum(told)))
        mass = {letter: value or most for letter, value in mass.items()}
    return Said(mass["a"] / (mass["a"] + mass["b"]), soft=True, bounded=missing)


def read_structured(text: str) -> Said | Unreadable:
    """The verdict of JSON, bare or in a block of code; else of text, as a server may not know the schema."""
    fenced = _CODE.fullmatch(text)
    try:
        found = StructuredVerdict.model_validate(
            json.loads(fenced["inside"] if fenced else text, object_pairs_hook=_once, parse_constant=_no_constant)
        )
    except ValidationError as error:
        problem = error.errors()[0]
        at = ".".join(map(str, problem["loc"])) or "the whole"
        return Unreadable(f"the judge's JSON is not a verdict: {at}: {problem['msg']}")
    except (ValueError, RecursionError):
        return read_text(text)
    return Said(_WORDS[found.verdict.lower()])


def read_text(text: str) -> Said | Unreadable:
    """The verdict of a text that holds one letter, or `tie`, and nothing else that means anything."""
    bare = text.strip()
    found = _LETTER.fullmatch(bare) if len(bare) <= _LONGEST else None
    if found is None:
        return Unreadable(f"the judge said no A, B or tie: {_short(bare)}")
    return Said(_WORDS[found["letter"].lower()])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a field is given twice")
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _short(text: str) -> str:
    shown = repr(text.strip())
    return shown if len(shown) <= 120 else shown[:117] + "..."

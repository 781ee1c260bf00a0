"""What a call costs, and the most that it may cost. Prices are the user's, per million tokens."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, cast

from boldly.oracles.judge.settings import Settings

_TEMPLATE = 512
"""Tokens that a server may add to a request: the borders of turns, a date, a system prompt of its own, a schema."""

_MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Bill:
    """What a call was charged.

    `estimated` where the service told nothing of use and the most was taken, `absurd` where what it told can't be true.
    """

    price: float
    tokens_in: int = 0
    tokens_out: int = 0
    estimated: bool = False
    absurd: bool = False


def most_tokens_in(messages: Sequence[Mapping[str, str]]) -> int:
    """More tokens than a request can have: a token is at least a byte."""
    return len(json.dumps(list(messages), ensure_ascii=False).encode()) + _TEMPLATE


def bound_of(messages: Sequence[Mapping[str, str]], settings: Settings) -> float:
    """The most that a call with these messages can cost."""
    return _cost(most_tokens_in(messages), settings.max_tokens, settings)


def bill_of(usage: Any, messages: Sequence[Mapping[str, str]], settings: Settings) -> Bill:
    """What a call costs by the `usage` that came back; its bound where there is none or it can't be true."""
    bound = bound_of(messages, settings)
    told = cast(Mapping[str, Any], usage) if isinstance(usage, Mapping) else dict[str, Any]()
    tokens_in, tokens_out = told.get("prompt_tokens"), told.get("completion_tokens")
    if tokens_in is None and tokens_out is None:
        return Bill(bound, estimated=True)
    if not (_possible(tokens_in, most_tokens_in(messages)) and _possible(tokens_out, settings.max_tokens)):
        return Bill(bound, estimated=True, absurd=True)
    return Bill(min(bound, _cost(tokens_in, tokens_out, settings)), tokens_in, tokens_out)


def _possible(count: Any, most: int) -> TypeGuard[int]:
    return isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= most


def _cost(tokens_in: int, tokens_out: int, settings: Settings) -> float:
    return (tokens_in * settings.price_in + tokens_out * settings.price_out) / _MILLION

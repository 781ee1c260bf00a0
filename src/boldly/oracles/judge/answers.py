"""What came back of a call, as it is kept in the ledger: what a verdict is read from, and nothing of the transport."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

MOST_TEXT = 20_000
_MOST_TOPS = 64

Answer = Mapping[str, Any]
"""`text`, `finish`, `refusal`, `reasoning` (whether there was any), `tops` (tokens with log-probabilities at the first
place, or None), `model`, `fingerprint`, `tokens_in`, `tokens_out`."""


def answer_of(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The first choice of a chat completion, or None where the body is none. No field is trusted to be of a type."""
    choice = _mapping(next(iter(_sequence(body.get("choices"))), None))
    message = _mapping(choice.get("message"))
    if not message:
        return None
    refusal = message.get("refusal")
    return {
        "text": _text(message.get("content"))[:MOST_TEXT],
        "finish": _text(choice.get("finish_reason")),
        "refusal": _text(refusal)[:MOST_TEXT],
        "reasoning": any(message.get(name) for name in ("reasoning", "reasoning_content", "reasoning_details")),
        "tops": _tops(_mapping(choice.get("logprobs"))),
        "model": _text(body.get("model")),
        "fingerprint": _text(body.get("system_fingerprint")),
    }


def _tops(logprobs: Mapping[str, Any]) -> list[tuple[str, float]] | None:
    """The tokens at the first place with their log-probabilities (nats), each token once."""
    place = _mapping(next(iter(_sequence(logprobs.get("content"))), None))
    listed = [_mapping(entry) for entry in _sequence(place.get("top_logprobs"))[:_MOST_TOPS]] or [place]
    found: dict[str, float] = {}
    for entry in listed:
        token, value = entry.get("token"), entry.get("logprob")
        if isinstance(token, str) and isinstance(value, int | float) and not isinstance(value, bool):
            number = float(value)
            if math.isnan(number) or number > 1e-3:
                return None
            found.setdefault(token, max(min(number, 0.0), -1e4))
    return list(found.items()) or None


def _text(value: Any) -> str:
    """A text, or the texts of the parts that a message's content may come in."""
    if isinstance(value, str):
        return value
    return "".join(_text(_mapping(part).get("text")) for part in _sequence(value))


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], value) if isinstance(value, Mapping) else {}


def _sequence(value: Any) -> Sequence[Any]:
    return cast(Sequence[Any], value) if isinstance(value, list | tuple) else ()

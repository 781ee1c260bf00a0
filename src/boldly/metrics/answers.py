"""`answers.jsonl` of a comparison: what each of its two models said to its prompts, in the order of their lot."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from boldly.errors import StorageError
from boldly.metrics.jsonl import append_line, read_lines
from boldly.types import Response

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Side = Literal["a", "b"]
SIDES: tuple[Side, ...] = ("a", "b")


def origin_of(side: Side, model: str) -> str:
    """What a response bears of who said it; people never see it."""
    return f"{side}:{model}"


def side_of(origin: str) -> Side:
    """Whose response it is, by its origin."""
    return "a" if origin.startswith("a:") else "b"


def append_answers(path: Path, side: Side, first: int, responses: Sequence[Response]) -> None:
    """Add responses to the prompts from number `first` on, durable when this returns, all of them or none.

    Raises `StorageError` where the file can't be written.
    """
    rows = [
        {
            "text": response.text,
            "tokens": list(response.tokens),
            "origin": response.origin,
            "log_prob": response.log_prob,
            "sampled_log_prob": response.sampled_log_prob,
            "ended": response.ended,
        }
        for response in responses
    ]
    append_line(path, {"side": side, "first": first, "responses": rows})


def read_answers(path: Path) -> dict[Side, list[Response]]:
    """The responses of each side, in the order of their prompts; none where there is no file.

    Raises `StorageError` for a line that is none of a comparison's.
    """
    found: dict[Side, list[Response]] = {side: [] for side in SIDES}
    for number, row in read_lines(path):
        match row:
            case {"side": "a" | "b" as side, "first": int(first), "responses": list(rows)}:
                if first == len(found[side]):
                    found[side] += _responses(path, number, rows)
                    continue
        raise StorageError(f"{path}, line {number} holds no answers of a comparison: restore the file from a copy.")
    return found


def _responses(path: Path, number: int, rows: list[Any]) -> list[Response]:
    try:
        return _schema().validate_python(rows)
    except ValueError as error:
        raise StorageError(f"{path}, line {number} holds no answers: {' '.join(str(error).split())}.") from error


@cache
def _schema() -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(list[Response])

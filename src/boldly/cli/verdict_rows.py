"""Rows of verdicts, JSON lines or CSV, read one after another as they come."""

import csv
import json
import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from boldly.config.documents import decoded
from boldly.errors import InvalidInput
from boldly.ledger.telling import Said
from boldly.types import Abstention, BothBad, Preference, Tie, Verdict

_WORDS: dict[str, Verdict] = {
    "a": Preference(1.0),
    "b": Preference(0.0),
    "tie": Tie(),
    "both_bad": BothBad(),
    "abstain": Abstention(),
}
_SIDES = ("left", "right")
_ORDERS: dict[str, Literal["ab", "ba"]] = {"ab": "ab", "ba": "ba"}
_LONGEST_NAME = 100
_LONGEST_CELL = 2**31 - 1
_EXAMPLE = '{"query_id": "1f0c...", "verdict": "a", "annotator": "ann"}'


@dataclass(frozen=True, slots=True)
class Row:
    """A row's line, the query that it names, whole or by its beginning, and what is said of it.

    `said` is None where the row has no verdict yet, and an error says what is wrong with a row that can't be read.
    """

    line: int
    query: str
    said: Said | InvalidInput | None


def read_rows(lines: Iterable[bytes]) -> Iterator[Row]:
    """The rows in lines of UTF-8: JSON objects where the first begins with a brace, else CSV under a header.

    Raises `InvalidInput` where CSV can't be read any further.
    """
    numbered = enumerate(lines, start=1)
    for line, content in numbered:
        if content.strip():
            every = chain([(line, content)], numbered)
            return _json_rows(every) if _text(line, content).lstrip().startswith("{") else _csv_rows(line, every)
    return iter(())


def said_of(row: Mapping[str, Any]) -> Said | None:
    """What a row says; None where it says nothing yet. Raises `InvalidInput` for what can't be read."""
    verdict = _present(row.get("verdict"))
    if verdict is None:
        return None
    order = _order(_present(row.get("order")))
    return Said(
        read_verdict(verdict, order),
        annotator_of(_present(row.get("annotator"))),
        order,
        _seconds(_present(row.get("seconds"))),
        _note(_present(row.get("note"))),
    )


def read_verdict(value: object, order: str | None = None) -> Verdict:
    """A word, or the probability that `a` is better. "left" and "right" need the order that the two were shown in."""
    word = value.strip().lower() if isinstance(value, str) else value
    if isinstance(word, str) and word in _SIDES:
        if order is None:
            raise InvalidInput(
                f'{value!r} names a side, and who stood there is not said: write `"order": "ab"` or "ba".'
            )
        return _WORDS[order[_SIDES.index(word)]]
    if isinstance(word, str) and word in _WORDS:
        return _WORDS[word]
    probability = _number(word)
    if probability is None or not 0.0 <= probability <= 1.0:
        raise InvalidInput(
            f"the verdict {value!r} is none of {', '.join((*_WORDS, *_SIDES))} and no probability that `a` is better: "
            'write `"verdict": "a"`, whichever side `a` was shown on.'
        )
    return Preference(probability)


def annotator_of(value: object) -> str | None:
    """A person's name, for a source. Raises `InvalidInput` for one that could not be seen in a table."""
    if value is None:
        return None
    name = value.strip() if isinstance(value, str) else ""
    if not name or len(name) > _LONGEST_NAME or any(unicodedata.category(one).startswith("C") for one in name):
        raise InvalidInput(
            f"the annotator {value!r} is no name of at most {_LONGEST_NAME} visible characters; a pseudonym will do."
        )
    return name


def _json_rows(lines: Iterable[tuple[int, bytes]]) -> Iterator[Row]:
    for line, content in lines:
        if not content.strip():
            continue
        try:
            row = json.loads(_text(line, content))
        except InvalidInput as error:
            yield Row(line, "", error)
        except (ValueError, RecursionError) as error:
            yield Row(line, "", InvalidInput(f"is no JSON ({error}): write {_EXAMPLE} on a line of its own."))
        else:
            yield _row(line, row) if isinstance(row, dict) else Row(line, "", InvalidInput(f"is no {_EXAMPLE}."))


def _csv_rows(start: int, lines: Iterable[tuple[int, bytes]]) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader((_text(line, content) for line, content in lines), strict=True)
    header: list[str] | None = None
    line = start
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InvalidInput(
                f"line {line} is no CSV ({error}): put cells with quotes or line breaks in quotes."
            ) from None
        if header is None:
            header = _header(line, cells)
        elif len(cells) > len(header):
            yield Row(line, "", InvalidInput(f"has {len(cells)} cells under {len(header)} columns."))
        elif any(cells):
            yield _row(line, dict(zip(header, cells, strict=False)))
        line = start + reader.line_num


def _header(line: int, cells: Sequence[str]) -> list[str]:
    header = [name.strip().lower() for name in cells]
    if "verdict" not in header or not {"query_id", "query"} & set(header):
        raise InvalidInput(
            f"line {line} is neither JSON nor a CSV header with `query_id` and `verdict`: write {_EXAMPLE} on each "
            "line, or `query_id,verdict,annotator` as the first."
        )
    return header


def _row(line: int, row: Mapping[str, Any]) -> Row:
    query = _present(row.get("query_id")) or _present(row.get("query"))
    try:
        said = said_of(row)
    except InvalidInput as error:
        return Row(line, str(query or ""), error)
    if said is not None and not isinstance(query, str):
        return Row(line, "", InvalidInput(f"names no query: write its id, as in {_EXAMPLE}."))
    return Row(line, str(query or "").strip(), said)


def _order(value: object) -> Literal["ab", "ba"] | None:
    if value is None:
        return None
    order = _ORDERS.get(value.strip().lower()) if isinstance(value, str) else None
    if order is None:
        raise InvalidInput(f'the order {value!r} is neither "ab" (`a` was shown first) nor "ba".')
    return order


def _seconds(value: object) -> float | None:
    if value is None:
        return None
    seconds = _number(value)
    if seconds is None or not 0.0 <= seconds < math.inf:
        raise InvalidInput(f"{value!r} is no number of seconds that a verdict can take.")
    return seconds


def _note(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise InvalidInput(f"the note {value!r} is no text.")


def _number(value: object) -> float | None:
    """A number, also one written as text; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _present(value: object) -> object:
    """None for what a row leaves open: null, or an empty cell."""
    return None if isinstance(value, str) and not value.strip() else value


def _text(line: int, content: bytes) -> str:
    try:
        return decoded(content)
    except ValueError as error:
        raise InvalidInput(f"line {line} {str(error).partition(': ')[2]}.") from None

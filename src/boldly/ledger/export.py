"""Labels as rows that other tools read: prompt, chosen and rejected, and beside them all that the ledger knows."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from boldly.errors import StorageError
from boldly.ledger.json_text import dump
from boldly.ledger.protocol import Ledger
from boldly.ledger.words import word_of
from boldly.types import Label, preference_of


@runtime_checkable
class Stream(Protocol):
    """What lines of text can be written to."""

    def writelines(self, lines: Iterable[str], /) -> None: ...


def rows(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """One row for each label that counts, in the order of purchase, those of evaluation included.

    `prompt` is text or a list of messages. `chosen` and `rejected` are null where neither beats the other: ties, both
    bad, abstentions and a probability of 1/2. `p_a` is the probability that `a` beats `b`, null where nothing was said
    of the two.
    """
    labels = sorted((*ledger.labels("training"), *ledger.labels("evaluation")), key=lambda label: label.sequence)
    return map(_row, labels)


def export(ledger: Ledger, target: Path | Stream) -> int:
    """Write the rows as JSON lines, and return how many; a file appears whole, under its name, or not at all.

    Raises `StorageError` for a file that can't be written.
    """
    if not isinstance(target, Path):
        return _write(ledger, target)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        try:
            with beside.open("w", encoding="utf-8") as file:
                count = _write(ledger, file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"`{target}` can't be written: {error.strerror}; name a file in a directory that exists and has room."
        ) from error
    return count


def _write(ledger: Ledger, stream: Stream) -> int:
    lines = [dump(row) + "\n" for row in rows(ledger)]
    stream.writelines(lines)
    return len(lines)


def _row(label: Label) -> dict[str, Any]:
    query, p = label.query, preference_of(label.verdict)
    better, worse = _ranked(query.a.text, query.b.text, p)
    return {
        "sequence": label.sequence,
        "account": query.account,
        "round": query.round,
        "prompt": query.prompt.content if isinstance(query.prompt.content, str) else query.prompt.messages,
        "chosen": better,
        "rejected": worse,
        "a": query.a.text,
        "b": query.b.text,
        "p_a": p,
        "verdict": word_of(label.verdict),
        "source": label.source,
        "price": label.price,
        "time": label.time,
        "origin_a": query.a.origin,
        "origin_b": query.b.origin,
        "explore": query.explore and query.explore.text,
        "query_id": query.id,
        "facts": dict(query.prompt.facts),
    }


def _ranked(a: str, b: str, p: float | None) -> tuple[str, str] | tuple[None, None]:
    """The likelier winner and the loser, or neither."""
    if p is None or p == 0.5:
        return None, None
    return (a, b) if p > 0.5 else (b, a)

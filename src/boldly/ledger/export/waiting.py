"""The queries that wait for a label, for people who label elsewhere; each side is drawn from the run's seed."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from boldly.ledger.export.files import Stream, written
from boldly.ledger.export.lines import json_lines, json_list
from boldly.ledger.protocol import Ledger
from boldly.ledger.telling import waiting
from boldly.randomness import derive
from boldly.types import Query

WaitingFormat = Literal["waiting", "argilla", "labelstudio"]


def export_waiting(ledger: Ledger, target: Path | Stream, *, format: WaitingFormat = "waiting", seed: int = 0) -> int:
    """Write the queries without a label, and return how many: JSON lines, or the tasks of another tool.

    Raises `StorageError` for a file that can't be written.
    """
    queries = list(waiting(ledger))
    if format == "waiting":
        written(json_lines(_rows(queries, seed)), target)
    else:
        shape = _argilla if format == "argilla" else _label_studio
        written(json_list(shape(row) for row in _rows(queries, seed)), target)
    return len(queries)


def _rows(queries: Iterable[Query], seed: int) -> Iterator[dict[str, Any]]:
    """`order` is "ab" where `a` is on the left; nothing tells which policy drew which."""
    for query in queries:
        order = "ab" if derive(seed, "side", query.id) % 2 else "ba"
        left, right = (query.a, query.b) if order == "ab" else (query.b, query.a)
        yield {
            "query_id": query.id,
            "account": query.account,
            "round": query.round,
            "prompt": query.prompt.content if isinstance(query.prompt.content, str) else query.prompt.messages,
            "left": left.text,
            "right": right.text,
            "order": order,
        }


def _argilla(row: dict[str, Any]) -> dict[str, Any]:
    """What `rg.Record.from_dict` takes, for fields prompt, response_1 and response_2 of text."""
    return {
        "id": row["query_id"],
        "fields": {"prompt": _text(row["prompt"]), "response_1": row["left"], "response_2": row["right"]},
        "metadata": {name: row[name] for name in ("query_id", "order", "account", "round")},
        "suggestions": {},
        "responses": {},
    }


def _label_studio(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: row[name] for name in ("query_id", "order", "account", "round")}
    return {"data": {"prompt": _text(row["prompt"]), "response_1": row["left"], "response_2": row["right"], **kept}}


def _text(prompt: str | list[dict[str, str]]) -> str:
    if isinstance(prompt, str):
        return prompt
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in prompt)

"""`prompts.jsonl` of a comparison: its prompts, in the order in which both models answer them."""

from collections.abc import Sequence
from pathlib import Path

from boldly.errors import StorageError
from boldly.ledger.json_text import dump
from boldly.metrics.jsonl import read_lines
from boldly.types import Message, Prompt

LOT_FILE = "prompts.jsonl"


def write_lot(folder: Path, prompts: Sequence[Prompt]) -> None:
    """Keep the prompts, whole or not at all. Raises `StorageError` where they can't be written."""
    path = folder / LOT_FILE
    partial = path.with_suffix(".tmp")
    rows = [{"content": _content(prompt), "facts": dict(prompt.facts)} for prompt in prompts]
    try:
        partial.write_text("".join(dump(row) + "\n" for row in rows), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise StorageError(f"{path} can't be written: {error.strerror or error}.") from error


def read_lot(folder: Path) -> tuple[Prompt, ...]:
    """The prompts that `write_lot` kept. Raises `StorageError` where the file is gone or damaged."""
    path = folder / LOT_FILE
    prompts = tuple(_prompt(path, number, row) for number, row in read_lines(path))
    if not prompts:
        raise StorageError(f"{path} is gone or empty: restore it, or write `--output DIR` for a new comparison.")
    return prompts


def _content(prompt: Prompt) -> object:
    return prompt.content if isinstance(prompt.content, str) else prompt.messages


def _prompt(path: Path, number: int, row: object) -> Prompt:
    match row:
        case {"content": str(content), "facts": dict(facts)}:
            return Prompt(content, facts)
        case {"content": list(messages), "facts": dict(facts)}:
            return Prompt(tuple(Message(message["role"], message["content"]) for message in messages), facts)
    raise StorageError(f"{path}, line {number} is no prompt of a comparison: restore the file from a copy.")

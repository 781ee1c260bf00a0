"""The labels of a ledger as a directory that the Hub takes as a data set."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from boldly.ledger.export.card import About, Tally, render
from boldly.ledger.export.files import written, written_directory
from boldly.ledger.export.lines import json_lines
from boldly.ledger.export.rows import is_chat, named, ordered, row
from boldly.ledger.json_text import dump
from boldly.ledger.protocol import Ledger
from boldly.types import ACCOUNTS, Account, Label

SPLITS: dict[Account, str] = {"training": "train", "evaluation": "evaluation", "consistency": "consistency"}


def export_dataset(ledger: Ledger, target: Path, *, about: About | None = None) -> int:
    """Write data/*.jsonl, a split for each account that has labels, and README.md; return how many labels.

    The directory appears whole or not at all. Raises `InvalidInput` for one that holds something, and `StorageError`
    where it can't be written.
    """
    tally = Tally()

    def fill(folder: Path) -> None:
        (folder / "data").mkdir()
        chat = any(is_chat(label.query.prompt) for label in ordered(ledger))
        splits: dict[Account, str] = {account: SPLITS[account] for account in ACCOUNTS if ledger.labels(account)}
        for account, split in splits.items():
            written(json_lines(_rows(ledger, account, tally, chat=chat)), folder / "data" / f"{split}.jsonl")
        money: dict[Account, float] = {account: ledger.spent(account).money for account in ACCOUNTS}
        written([render(tally, splits, money, about or About())], folder / "README.md")

    written_directory(fill, target)
    return tally.labels


def _rows(ledger: Ledger, account: Account, tally: Tally, *, chat: bool) -> Iterator[dict[str, Any]]:
    """Rows of one type in every column, as a table needs: objects are JSON text, and all prompts chats if one is."""
    names = named(ledger)
    for label in ordered(ledger):
        source = names.source(label)
        if label.query.account == account:
            tally.add(label, source)
            yield _uniform(row(label, names, attempts=ledger.attempts(label.query.id)), label, chat=chat)


def _uniform(found: dict[str, Any], label: Label, *, chat: bool) -> dict[str, Any]:
    texts = {name: dump(found[name]) for name in ("facts", "label_facts")}
    if not chat:
        return {**found, **texts}
    said = {name: _message(found[name]) for name in ("chosen", "rejected")}
    return {**found, **texts, "prompt": label.query.prompt.messages, **said}


def _message(text: str | None) -> list[dict[str, str]] | None:
    return None if text is None else [{"role": "assistant", "content": text}]

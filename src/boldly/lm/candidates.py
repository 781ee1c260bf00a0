"""Sampled candidates as lines of JSON, exact to the last bit of their log-probabilities."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from boldly.ledger.json_text import dump
from boldly.types import Candidates, Message, Prompt, Response


def write_candidates(candidates: Iterable[Candidates], path: Path) -> None:
    """One line for each prompt with its responses."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(dump(_plain(entry)) + "\n" for entry in candidates)


def read_candidates(path: Path) -> list[Candidates]:
    """What `write_candidates` wrote."""
    with path.open(encoding="utf-8") as file:
        return [_read(json.loads(line)) for line in file]


def _plain(candidates: Candidates) -> dict[str, Any]:
    prompt = candidates.prompt
    return {
        "content": prompt.content if isinstance(prompt.content, str) else prompt.messages,
        "facts": dict(prompt.facts),
        "responses": [asdict(response) for response in candidates.responses],
    }


def _read(line: dict[str, Any]) -> Candidates:
    said = line["content"]
    content = said if isinstance(said, str) else tuple(Message(**message) for message in said)
    responses = (Response(**fields | {"tokens": tuple(fields["tokens"])}) for fields in line["responses"])
    return Candidates(Prompt(content, MappingProxyType(line["facts"])), tuple(responses))

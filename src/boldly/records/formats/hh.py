"""Transcripts of Anthropic's HH data: "\\n\\nHuman: ... \\n\\nAssistant: ...", whose last turn is the response."""

import re
from collections.abc import Mapping
from typing import Any

from boldly.records.record import BadRow, Record
from boldly.records.values import column, text_of
from boldly.types import Message, Preference, Prompt

_TURN = re.compile(r"(?:^|\n\n)(Human|Assistant):")
_ROLES = {"Human": "user", "Assistant": "assistant"}


def fits(values: Mapping[str, Any]) -> bool:
    texts = [values.get(name) for name in ("chosen", "rejected")]
    return "prompt" not in values and all(isinstance(text, str) and _begins(text) for text in texts)


def _begins(text: str) -> bool:
    return text.lstrip().startswith("Human:")


def read(values: Mapping[str, Any]) -> list[Record]:
    chosen, rejected = _turns(values, "chosen"), _turns(values, "rejected")
    if chosen[:-1] != rejected[:-1]:
        raise BadRow(
            "`chosen` and `rejected` part before the last turn, so they answer different prompts: remove the row, or "
            "cut both where they part"
        )
    return [Record(Prompt(chosen[:-1]), chosen[-1].content, rejected[-1].content, Preference(1.0))]


def _turns(values: Mapping[str, Any], name: str) -> tuple[Message, ...]:
    pieces = _TURN.split(text_of(column(values, name), name).lstrip())
    turns = tuple(Message(_ROLES[who], said.strip()) for who, said in zip(pieces[1::2], pieces[2::2], strict=True))
    if pieces[0].strip() or len(turns) < 2 or turns[-1].role != "assistant":
        raise BadRow(
            f"`{name}` is no transcript that ends with the assistant's turn: write "
            '"\\n\\nHuman: ...\\n\\nAssistant: ..."'
        )
    return turns

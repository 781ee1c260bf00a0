"""Files of prompts: .jsonl (plain text or chat), .txt (one a line) or .csv, each fault with its line."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from boldly.config.documents import decoded, nearest
from boldly.errors import PromptsError
from boldly.types import Message, Prompt

_ROLES = ("system", "developer", "user", "assistant", "tool")


def read_prompts(path: Path, column: str = "prompt") -> list[tuple[int, Prompt]]:
    """Every prompt of a file with the number of the line it begins in, duplicates included.

    The further columns of a row become the prompt's facts. Raises `PromptsError` that names file and line.
    """
    readers: dict[str, Callable[[str, Path, str], Iterator[tuple[int, Prompt]]]] = {
        ".jsonl": _from_jsonl,
        ".txt": _from_text,
        ".csv": _from_csv,
    }
    if path.is_dir():
        raise PromptsError(f"{path}: is a directory: write the path of a .jsonl, .txt or .csv file in it.")
    if path.suffix.lower() not in readers:
        raise PromptsError(f"{path}: is none of {', '.join(readers)}: write `prompts: {path.stem}.jsonl`.")
    rows = list(readers[path.suffix.lower()](_text(path), path, column))
    if not rows:
        raise PromptsError(f'{path}: holds no prompts: write lines like {{"{column}": "..."}}.')
    chats = [isinstance(prompt.content, tuple) for _, prompt in rows]
    if len(set(chats)) == 2:
        line = rows[chats.index(not chats[0])][0]
        raise _fault(path, line, "mixes plain prompts with chats: write all of them as messages, or all as text")
    return rows


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PromptsError(
            f"{path}: can't be read ({error.strerror}): write the path of a .jsonl, .txt or .csv file."
        ) from None
    try:
        return decoded(content)
    except ValueError as error:
        raise PromptsError(f"{path}:{error}.") from None


def _lines(text: str) -> list[str]:
    """The lines of a text without their ends. Only newlines end one: JSON may hold other separators in its strings."""
    return [line.removesuffix("\r") for line in text.rstrip("\r\n").split("\n")] if text.strip() else []


def _from_text(text: str, path: Path, column: str) -> Iterator[tuple[int, Prompt]]:
    for number, line in enumerate(_lines(text), 1):
        yield number, Prompt(_content(line, path, number, "the line"))


def _from_jsonl(text: str, path: Path, column: str) -> Iterator[tuple[int, Prompt]]:
    for number, line in enumerate(_lines(text), 1):
        row = _object(line, path, number, column)
        if column not in row:
            raise _missing(column, list(row), path, number)
        value = row.pop(column)
        content = _messages(value, path, number) if isinstance(value, list) else _content(value, path, number, column)
        yield number, Prompt(content, row)


def _from_csv(text: str, path: Path, column: str) -> Iterator[tuple[int, Prompt]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    limit = csv.field_size_limit(max(len(text), 1))
    begins = 1
    try:
        header = next(reader, [])
        if header and column not in header:
            raise _missing(column, header, path, 1)
        begins = reader.line_num + 1
        for cells in reader:
            if cells and len(cells) != len(header):
                raise _fault(
                    path, begins, f"has {len(cells)} cells under {len(header)} names: quote cells that hold commas"
                )
            if cells:
                row: dict[str, Any] = dict(zip(header, cells, strict=True))
                yield begins, Prompt(_content(row.pop(column), path, begins, column), row)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise _fault(path, begins, f'is not CSV ({error}): write cells as "...", a quote within as ""') from None
    finally:
        csv.field_size_limit(limit)


def _object(line: str, path: Path, number: int, column: str) -> dict[str, Any]:
    """The object in one line of JSON."""

    def refuse_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is no JSON")

    def refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        row = dict(pairs)
        if len(row) < len(pairs):
            raise ValueError("a name is given twice")
        return row

    example = f'write {{"{column}": "..."}}'
    if not line.strip():
        raise _fault(path, number, f"is empty: remove the line, or {example}")
    try:
        row = json.loads(line, parse_constant=refuse_constant, object_pairs_hook=refuse_twice)
    except json.JSONDecodeError as error:
        raise _fault(path, number, f"is not JSON ({error.msg} at column {error.colno}): {example}") from None
    except (ValueError, RecursionError) as error:
        raise _fault(path, number, f"is not JSON ({error}): {example}") from None
    if not isinstance(row, dict):
        raise _fault(path, number, f"is {_kind(row)} where an object is needed: {example}")
    return row


def _messages(value: list[Any], path: Path, number: int) -> tuple[Message, ...]:
    example = '[{"role": "user", "content": "..."}]'
    if not value:
        raise _fault(path, number, f"holds a chat without messages: write {example}")
    messages: list[Message] = []
    for message in value:
        if not (isinstance(message, dict) and set(message) == {"role", "content"} and isinstance(message["role"], str)):
            raise _fault(path, number, f"holds a message that is no role and content: write {example}")
        if message["role"] not in _ROLES:
            near = nearest(message["role"], list(_ROLES)) or "user"
            raise _fault(
                path,
                number,
                f"has a message of role {message['role']!r}, which is none of {', '.join(_ROLES)}: write "
                f'"role": "{near}"',
            )
        messages.append(Message(message["role"], _content(message["content"], path, number, "content")))
    if messages[-1].role == "assistant":
        raise _fault(
            path, number, "ends with the assistant's turn, so nothing is left to answer: remove the last message"
        )
    return tuple(messages)


def _content(value: Any, path: Path, number: int, what: str) -> str:
    if not isinstance(value, str):
        example = f'write {{"{what}": "..."}}'
        raise _fault(
            path, number, f"`{what}` is {_kind(value)}, but it has to be text or a list of messages: {example}"
        )
    if not value.strip():
        raise _fault(path, number, f"`{what}` is empty: write a prompt, or remove the line")
    if "\x00" in value:
        raise _fault(path, number, f"`{what}` holds a NUL character: remove it")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise _fault(path, number, f"`{what}` holds half a surrogate pair, which is no character: write it whole")
    return value


def _missing(column: str, names: list[str], path: Path, number: int) -> PromptsError:
    near = nearest(column, names) or (names[0] if names else "prompt")
    has = f"it has {', '.join(names)}" if names else "it has none"
    if number == 1:
        mend = f"`prompt_column: {near}`"
    else:
        mend = f'"{column}" for "{near}"' if names else f'{{"{column}": "..."}}'
    return _fault(path, number, f"has no column `{column}`, {has}: write {mend}")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _fault(path: Path, line: int, text: str) -> PromptsError:
    return PromptsError(f"{path}:{line}: {text}.")

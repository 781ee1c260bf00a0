"""The rows of a JSON, JSON lines or CSV file, each with its line; what is no row is a fault with its line."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

from boldly.errors import InvalidInput
from boldly.records.cells import unguarded
from boldly.records.record import Fault

_MARK = b"\xef\xbb\xbf"
_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Row:
    """The columns of one row, and where it is: "labels.jsonl:3"."""

    place: str
    values: Mapping[str, Any]


def read_rows(path: Path) -> Iterator[Row | Fault]:
    """Every row of a file, in order, without holding the file in memory where its rows are lines.

    Raises `InvalidInput` for a file that can't be opened or is not UTF-8 by its first bytes.
    """
    start = _start(path)
    if path.suffix.lower() == ".csv":
        return _from_csv(path)
    if start.lstrip(_MARK).lstrip().startswith(b"[") or not _is_whole(start):
        whole = _from_document(path)
        if whole is not None:
            return whole
    return _from_lines(path)


def _start(path: Path) -> bytes:
    """The first line that holds anything."""
    try:
        with path.open("rb") as file:
            begin = file.read(2)
            file.seek(0)
            line = next((line for line in file if line.removeprefix(_MARK).strip()), b"")
    except OSError as error:
        raise InvalidInput(f"{path}: can't be read ({error.strerror}): name a .jsonl, .json or .csv file.") from None
    if begin in (b"\xff\xfe", b"\xfe\xff"):
        raise InvalidInput(f"{path}: is not UTF-8 but UTF-16: save the file as UTF-8 (`iconv -f UTF-16 -t UTF-8`).")
    return line


def _is_whole(line: bytes) -> bool:
    try:
        json.loads(line.removeprefix(_MARK))
    except (ValueError, RecursionError):
        return False
    return True


def _from_lines(path: Path) -> Iterator[Row | Fault]:
    """JSON lines. Only a newline ends one: JSON may hold other separators in its strings."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            place = f"{path}:{number}"
            content = (line.removeprefix(_MARK) if number == 1 else line).rstrip(b"\r\n")
            try:
                text = content.decode("utf-8")
            except UnicodeDecodeError as error:
                yield Fault(place, f"is not UTF-8 (byte {content[error.start]:#04x}): save the file as UTF-8")
                continue
            if not text.strip():
                yield Fault(place, "is empty: remove the line")
                continue
            try:
                value = _DECODER.decode(text)
            except json.JSONDecodeError as error:
                yield Fault(place, f"is not JSON ({error.msg} at column {error.colno}): write one object on each line")
                continue
            except (ValueError, RecursionError) as error:
                yield Fault(place, f"is not JSON ({error}): write one object on each line")
                continue
            yield from _expanded(value, place)


def _from_document(path: Path) -> Iterator[Row | Fault] | None:
    """The rows of a file that is one JSON value, None where it is something else."""
    try:
        text = path.read_bytes().removeprefix(_MARK).decode("utf-8")
    except UnicodeDecodeError:
        return None
    begin = _next(text, 0)
    if text[begin : begin + 1] == "[":
        return _from_array(path, text, begin)
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return _expanded(value, f"{path}:1")


def _from_array(path: Path, text: str, begin: int) -> Iterator[Row | Fault]:
    place, line, counted = _next(text, begin + 1), 1, 0
    while text[place : place + 1] != "]":
        line += text.count("\n", counted, place)
        counted = place
        try:
            value, end = _DECODER.raw_decode(text, place)
        except json.JSONDecodeError as error:
            yield Fault(f"{path}:{error.lineno}", f"is not JSON ({error.msg} at column {error.colno}): write it whole")
            return
        except (ValueError, RecursionError) as error:
            yield Fault(f"{path}:{line}", f"is not JSON ({error}): write it whole")
            return
        yield from _expanded(value, f"{path}:{line}")
        place = _next(text, end)
        if text[place : place + 1] == ",":
            place = _next(text, place + 1)
        elif text[place : place + 1] != "]":
            line += text.count("\n", counted, place)
            yield Fault(f"{path}:{line}", 'is cut: the list that begins the file has no "]" here')
            return


def _next(text: str, place: int) -> int:
    while text[place : place + 1] in _SPACE and place < len(text):
        place += 1
    return place


def _expanded(value: object, place: str) -> Iterator[Row | Fault]:
    """The rows of one JSON value: one, or those of a whole export whose columns or ids are its names."""
    if not isinstance(value, dict):
        yield Fault(place, f"is {kind(value)} where an object is needed: write {{...}}")
        return
    found = cast(dict[str, Any], value)
    if isinstance(found.get("fields"), list):
        lists = {name: cast(list[Any], each) for name, each in found.items() if isinstance(each, list)}
        for i in range(len(lists["fields"])):
            yield Row(f"{place} (record {i + 1})", {name: each[i] for name, each in lists.items() if i < len(each)})
    elif found and all(isinstance(each, dict) and "fields" in each for each in found.values()):
        for name, each in found.items():
            yield Row(f"{place} (record {name})", cast(dict[str, Any], each))
    else:
        yield Row(place, found)


def _from_csv(path: Path) -> Iterator[Row | Fault]:
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield from _cells(path, file)
    finally:
        csv.field_size_limit(before)


def _cells(path: Path, file: io.TextIOBase) -> Iterator[Row | Fault]:
    reader = csv.reader(file, strict=True)
    begins = 1
    try:
        header = next(reader, [])
        begins = reader.line_num + 1
        for cells in reader:
            place, begins = f"{path}:{begins}", reader.line_num + 1
            if not cells:
                continue
            if len(cells) != len(header):
                names = f"{len(cells)} cells under {len(header)} names"
                yield Fault(place, f"has {names}: quote cells that hold commas or newlines")
            elif any("\udc80" <= character <= "\udcff" for cell in cells for character in cell):
                yield Fault(place, "is not UTF-8: save the file as UTF-8")
            else:
                yield Row(place, dict(zip(header, map(unguarded, cells), strict=True)))
    except csv.Error as error:
        yield Fault(f"{path}:{begins}", f'is not CSV ({error}): write cells as "...", a quote within as ""')


def kind(value: object) -> str:
    """What a JSON value is, for a sentence."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("a name is given twice")
    return row


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_refuse_twice)

"""Reading YAML as plain data with the line of every key; nothing in a file can make an object or run anything."""

import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from boldly.errors import ConfigError

Key = tuple[str, ...]

_PLAIN = re.compile(r"[A-Za-z_./][\w./@+-]*(:[\w./@+-]+)*\Z", re.ASCII)
_MOST_BYTES = 1_000_000
_MOST_VALUES = 10_000
_MOST_DEPTH = 20


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core scalars: 1e-4 is a number, `no` is text, 2024-01-01 is text, 1:30 is text."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), [*_first])
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^$"), [""])


@dataclass(frozen=True, slots=True)
class Document:
    """A mapping as it was written, and the line of each of its keys; nested keys are tuples."""

    values: dict[str, Any]
    lines: Mapping[Key, int]


def read_document(path: Path) -> Document:
    """The mapping in a YAML file. Raises `ConfigError` that names file and line for everything that is not one."""
    try:
        content = path.read_bytes()
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a directory: write `--config FILE` with a YAML file in it.") from None
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror}): `boldly init {path}` writes one.") from None
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"{path}: is {len(content)} bytes, and a configuration has at most {_MOST_BYTES}: is it one?")
    try:
        text = decoded(content)
    except ValueError as error:
        raise ConfigError(f"{path}:{error}.") from None
    return parse_document(text, str(path))


def decoded(content: bytes) -> str:
    """The text of a file in UTF-8, with or without a mark. Raises `ValueError` with the line and what it is instead."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in content[:2]:
        raise ValueError("1: is not UTF-8 but UTF-16 or UTF-32: save the file as UTF-8 (`iconv -f UTF-16 -t UTF-8`)")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{line}: is not UTF-8 (byte {content[error.start]:#04x}): save the file as UTF-8 "
            "(`iconv -f LATIN1 -t UTF-8` where that is what it is)"
        ) from None


def parse_document(text: str, name: str) -> Document:
    """The mapping in a YAML text; `name` stands for it in errors."""
    node = _compose(text, name)
    if node is None or (isinstance(node, ScalarNode) and not node.value):
        return Document({}, {})
    if not isinstance(node, MappingNode):
        raise ConfigError(f"{name}:1: a configuration is a mapping of keys: write `budget: 256`.")
    reader = _Reader(name)
    return Document(reader.mapping(node, ()), reader.lines)


def parse_value(text: str, name: str) -> Any:
    """The value that a flag or an environment variable gives as text, read as YAML; `name` stands for it in errors."""
    node = _compose(text, name)
    return None if node is None else _Reader(name, inline=True).value(node, ())


def _compose(text: str, name: str) -> Node | None:
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        begun = error.context_mark if error.context == "while scanning a simple key" else None
        mark = begun or error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(
            f"{name}{line}: is not YAML ({error.problem}): write `key: value` on a line of its own."
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"{name}: is not YAML ({reason}): write `key: value` on a line of its own.") from None


def _float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


_SCALARS: Mapping[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:null": {"": None, "~": None, "null": None, "Null": None, "NULL": None}.__getitem__,
    "tag:yaml.org,2002:bool": lambda text: {"true": True, "false": False}[text.lower()],
    "tag:yaml.org,2002:int": lambda text: int(text, 16 if "x" in text else 10),
    "tag:yaml.org,2002:float": _float,
}


class _Reader:
    """Builds plain data from YAML nodes, with an end to how much an alias can make of little."""

    def __init__(self, name: str, *, inline: bool = False) -> None:
        self.lines: dict[Key, int] = {}
        self._name, self._inline, self._count = name, inline, 0

    def mapping(self, node: MappingNode, place: Key) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.value(key_node, place)
            if not isinstance(key, str):
                raise self._error(
                    key_node, f"{key!r} is no key of a configuration, which are words: write `budget: 256`"
                )
            if key in values:
                first = self.lines[(*place, key)]
                raise self._error(key_node, f"`{key}` is given twice, first in line {first}: remove one of the two")
            self.lines[(*place, key)] = key_node.start_mark.line + 1
            values[key] = self.value(value_node, (*place, key))
        return values

    def value(self, node: Node, place: Key) -> Any:
        self._count += 1
        if self._count > _MOST_VALUES or len(place) > _MOST_DEPTH:
            raise self._error(node, "holds more than a configuration can: write every key out, without aliases")
        if isinstance(node, MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self.mapping(node, place)
        if isinstance(node, SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.value(entry, (*place, "[]")) for entry in node.value]
        return self._scalar(node)

    def _scalar(self, node: Node) -> Any:
        read = _SCALARS.get(node.tag)
        try:
            if read and isinstance(node, ScalarNode):
                return read(node.value)
        except (ValueError, KeyError):
            pass
        raise self._error(node, f"{node.tag} makes no plain value here: write the value without a tag")

    def _error(self, node: Node, text: str) -> ConfigError:
        where = self._name if self._inline else f"{self._name}:{node.start_mark.line + 1}"
        return ConfigError(f"{where}: {text}.")


def nearest(word: str, known: list[str]) -> str | None:
    """What `word` was probably meant to be."""
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return found[0] if found else None


def written(value: Any) -> str:
    """A value as it is written in one line of YAML."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float() if value != value:
            return ".nan"
        case float() if value in (float("inf"), float("-inf")):
            return ".inf" if value > 0 else "-.inf"
        case dict():
            return "{" + ", ".join(f"{written(name)}: {written(entry)}" for name, entry in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(written, value)) + "]"
        case str() if not _PLAIN.match(value) or value.lower() in ("true", "false", "null"):
            return json.dumps(value, ensure_ascii=False)
    return str(value)

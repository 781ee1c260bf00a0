"""What is wrong with settings, as sentences: where, which key, why, and the line to write instead."""

import re
import typing
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from boldly.config.documents import Key, nearest, written
from boldly.config.layers import Settings
from boldly.errors import ConfigError, ModelError, OracleError

_EXPECTED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "bool_type": lambda _: "true or false",
    "dict_type": lambda _: "a mapping of keys",
    "float_type": lambda _: "a number",
    "greater_than": lambda context: f"a number above {context['gt']:g}",
    "greater_than_equal": lambda context: f"a number of at least {context['ge']:g}",
    "int_type": lambda _: "a whole number",
    "less_than": lambda context: f"a number below {context['lt']:g}",
    "less_than_equal": lambda context: f"a number of at most {context['le']:g}",
    "list_type": lambda _: "a list",
    "literal_error": lambda context: context["expected"].replace("'", ""),
    "model_type": lambda _: "a mapping of keys",
    "none_required": lambda _: "null",
    "string_pattern_mismatch": lambda _: "auto, cpu, cuda, cuda:1 or mps",
    "string_type": lambda _: "text",
    "tuple_type": lambda _: "a list",
    "value_error": lambda context: str(context["error"]),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that can't work: the key that was set, why, and the key and value to write instead (None: remove it).

    `beside` are the keys that the one to write has to stand beside, where its mapping is written as a whole.
    """

    key: Key
    why: str
    write: tuple[Key, Any] | None
    beside: Mapping[str, Any] = field(default_factory=dict)

    def sentence(self, settings: Settings) -> str:
        """The problem in the words of the place where its key was set."""
        origin = settings.origin(self.key)
        where = f"{origin.where(self.key)}: " if origin else ""
        if self.write is None:
            return f"{where}{self.why}: remove it."
        key, value = self.write
        if self.beside and (origin is None or origin.place not in ("flag", "environment")):
            key, value = key[:-1], {**self.beside, key[-1]: value}
        in_file = origin is None or origin.place in ("default", "recipe", "file")
        if origin is None or (in_file and (origin.place != "file" or key[:-1] != self.key[:-1])):
            line = outline(key, value)
        else:
            line = origin.line(key, value)
        return f"{where}{self.why}: write `{line}`."


def refuse(problems: Iterable[Problem], settings: Settings) -> None:
    """Raise `ConfigError` with a line for each problem, if there is any."""
    sentences = dict.fromkeys(problem.sentence(settings) for problem in problems)
    if sentences:
        raise ConfigError("\n".join(sentences))


@contextmanager
def placed(settings: Settings) -> Generator[None]:
    """Errors of a model or an oracle within the block begin with the place where that was set."""
    try:
        yield
    except (ModelError, OracleError) as error:
        key: Key = ("model",) if isinstance(error, ModelError) else ("oracle", "function")
        origin = settings.origin(key)
        if origin is None or origin.place in ("default", "recipe"):
            raise
        within = f"`{'.'.join(key)}`: " if origin.place == "file" else ""
        raise type(error)(f"{origin.where(key)}: {within}{error}") from error


def problems_of(
    error: ValidationError, model: type[BaseModel], at: Key, examples: Mapping[str, Any], beside: Mapping[str, Any]
) -> list[Problem]:
    """What pydantic found wrong with a mapping, a problem for each key. `at` is where the mapping is in the settings.

    `examples` are values to write for keys that have no default; `beside` is what else the mapping holds there.
    """
    found: dict[Key, list[ErrorDetails]] = {}
    for detail in error.errors():
        key, _ = _known(model, detail["loc"])
        if detail["type"] in ("extra_forbidden", "missing"):
            key = (*key[: len(detail["loc"]) - 1], str(detail["loc"][-1]))
        found.setdefault(key, []).append(detail)
    return [_problem(details, model, key, at, examples, beside) for key, details in found.items()]


def _problem(
    details: list[ErrorDetails],
    model: type[BaseModel],
    key: Key,
    at: Key,
    examples: Mapping[str, Any],
    beside: Mapping[str, Any],
) -> Problem:
    _, section = _known(model, key[:-1])
    place, given = (*at, *key), details[0]["input"]
    if details[0]["type"] == "extra_forbidden":
        return unknown(place, given, list(section.model_fields))
    example = _example(section, key[-1], details, examples)
    if details[0]["type"] == "missing":
        beside = (beside or given) if len(place) > 1 else {}
        return Problem(place[:-1] or place, f"`{'.'.join(place)}` is not given", (place, example), beside)
    expected = " or ".join(dict.fromkeys(_expected(detail) for detail in details))
    why = f"`{'.'.join(place)}` is {written(_plain(given))}, but it has to be {expected}"
    return Problem(place, why, (place, example))


def _example(section: type[BaseModel], name: str, details: list[ErrorDetails], examples: Mapping[str, Any]) -> Any:
    """A value that would do: the one that was probably meant, the default, or an example."""
    for detail in details:
        if detail["type"] == "list_type" and isinstance(detail["input"], str):
            return [detail["input"]]
        allowed = re.findall(r"'([^']*)'", detail.get("ctx", {}).get("expected", ""))
        if near := nearest(str(detail["input"]), allowed):
            return near if isinstance(detail["loc"][-1], str) else [near]
    field = section.model_fields[name]
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        return default.model_dump()
    return examples.get(name) if default is None else default


def unknown(key: Key, value: Any, known: list[str]) -> Problem:
    """A key that nothing reads, with the one that was probably meant."""
    *within, last = key
    of = f"of `{'.'.join(within)}`" if within else "of a configuration"
    if near := nearest(last, known):
        return Problem(key, f"`{'.'.join(key)}` is no key {of}", ((*within, near), _plain(value)))
    return Problem(key, f"`{'.'.join(key)}` is no key {of}, whose keys are {', '.join(known) or 'none'}", None)


def outline(key: Key, value: Any) -> str:
    """A key as one line of a YAML file, from its first word on."""
    first, *rest = key
    for word in reversed(rest):
        value = {word: value}
    return f"{first}: {written(_plain(value))}"


def _expected(detail: ErrorDetails) -> str:
    say = _EXPECTED.get(detail["type"])
    return say(detail.get("ctx", {})) if say else detail["msg"].lower()


def _known(model: type[BaseModel], place: Iterable[int | str]) -> tuple[Key, type[BaseModel]]:
    """The beginning of pydantic's location that names keys, and the last model on the way."""
    key: Key = ()
    for word in place:
        if not isinstance(word, str) or word not in model.model_fields:
            break
        key, inner = (*key, word), _model_in(model.model_fields[word].annotation)
        if inner is None:
            break
        model = inner
    return key, model


def _model_in(hint: Any) -> type[BaseModel] | None:
    kinds = (hint, *typing.get_args(hint))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, str | int | float | list | dict | None) else str(value)

"""Configuration keys as flags: listed in `boldly run --help`, and read where they are not listed."""

import inspect
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

from cyclopts import Group, Parameter
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from boldly.config.documents import Key, written
from boldly.config.schema import RunConfig
from boldly.errors import ConfigError

_KEYS = Group("Keys of the configuration", sort_key=1)
_OF_RECIPE = ("sampler", "selector", "reference", "objective", "learner", "hypotheses")


def with_config_keys(command: Callable[..., int]) -> Callable[..., int]:
    """`command`, whose `**keys` take every key of a configuration, told to list each with its meaning and default."""
    signature = inspect.signature(command)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    keys = [_parameter(key, field) for key, field in _fields(RunConfig)]
    command.__signature__ = signature.replace(parameters=[*own, *keys])  # pyright: ignore[reportFunctionMemberAccess]
    command.__annotations__ = {p.name: p.annotation for p in (*own, *keys)} | {"return": int}
    return command


def texts(keys: dict[str, Any], further: Sequence[str]) -> dict[str, str]:
    """Flags as dotted names with their texts: those that are listed, and further words `--a.b value` or `--a.b=value`.

    Raises `ConfigError` for a word that is no flag, and for a flag that is given twice or without a value.
    """
    given = {name.replace("__", "."): _text(value) for name, value in keys.items() if value is not None}
    words = list(further)
    while words:
        word = words.pop(0)
        if not word.startswith("--") or word == "--":
            line = f"--config {word}" if word.endswith((".yaml", ".yml")) else "--key value"
            raise ConfigError(f"`{word}` is no flag: write `{line}` (a flag that switches something on has no value).")
        name, equals, value = word.removeprefix("--").partition("=")
        if not equals:
            if not words or words[0].startswith("--"):
                raise ConfigError(f"--{name}: has no value: write `--{name} VALUE`.")
            value = words.pop(0)
        name = name.replace("-", "_")
        if name in given:
            raise ConfigError(f"--{name}: is given twice: write it once.")
        given[name] = value
    return given


def _text(value: Any) -> str:
    return written(value) if isinstance(value, bool) else str(value)


def _fields(model: type[BaseModel], at: Key = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """The keys that hold a value, those of nested sections with dots."""
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel) and type(field.default).model_fields.keys() != {"name"}:
            yield from _fields(type(field.default), (*at, name))
        else:
            yield (*at, name), field


def _parameter(key: Key, field: FieldInfo) -> inspect.Parameter:
    kind = bool if field.annotation is bool else str
    help_text = f"{field.description} (default: {_default(key, field)})"
    about = Parameter(name="--" + ".".join(key), help=help_text, group=_KEYS, show_default=False)
    if kind is bool:
        about = Parameter.combine(about, Parameter(negative=()))
    return inspect.Parameter(
        "__".join(key), inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, about]
    )


def _default(key: Key, field: FieldInfo) -> str:
    if key[-1] in _OF_RECIPE:
        return "the recipe's"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        return typing.cast(Any, default).name
    return written(default) if default not in ("", ()) else "none"

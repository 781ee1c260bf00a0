"""Where settings come from, which of two wins, and how each place is named in an error.

    defaults < recipe < file < arguments from Python < environment < flags

A key of a higher layer replaces the one below; mappings are merged key by key. A part whose name changes starts anew,
as the options of another method mean nothing to it.
"""

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from boldly.config.documents import Key, nearest, parse_document, parse_value, read_document, written
from boldly.config.schema import PART_KEYS, RunConfig
from boldly.errors import ConfigError

Place = Literal["default", "recipe", "file", "argument", "environment", "flag"]

PREFIX = "BOLDLY_"


@dataclass(frozen=True, slots=True)
class Layer:
    """The settings of one place. `name` is the recipe's or the file's."""

    place: Place
    values: dict[str, Any]
    name: str = ""
    lines: Mapping[Key, int] = field(default_factory=dict)

    def where(self, key: Key) -> str:
        """The place of a key, as an error begins."""
        match self.place:
            case "default":
                return "defaults"
            case "recipe":
                return f"recipe {self.name}"
            case "file":
                line = next((self.lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in self.lines), 1)
                return f"{self.name}:{line}"
            case "argument":
                return f"argument {key[0]}"
            case "environment":
                return variable(key)
            case "flag":
                return f"--{'.'.join(key)}"

    def line(self, key: Key, value: Any) -> str:
        """What to write in this place to give `key` a value."""
        match self.place:
            case "flag":
                return f"--{'.'.join(key)} {shlex.quote(written(value))}"
            case "environment":
                return f"{variable(key)}={shlex.quote(written(value))}"
            case "argument":
                return f"{key[0]}={_nested(key[1:], value)!r}"
            case _:
                return f"{key[-1]}: {written(value)}"


@dataclass(frozen=True, slots=True)
class Settings:
    """All layers merged, and the layer that each key was last set in."""

    values: dict[str, Any]
    origins: Mapping[Key, Layer]

    def origin(self, key: Key) -> Layer | None:
        """The layer that set a key or else the mapping it is in; None for a default."""
        return next((self.origins[key[:n]] for n in range(len(key), 0, -1) if key[:n] in self.origins), None)


def variable(key: Key) -> str:
    """The environment variable of a key: BOLDLY_LEARNER__STEPS for learner.steps."""
    return PREFIX + "__".join(key).upper()


def default_layer() -> Layer:
    """The defaults of the parts that no recipe names."""
    oracle = RunConfig.model_fields["oracle"].get_default()
    return Layer("default", {"oracle": oracle.model_dump()})


def recipe_names() -> list[str]:
    """The recipes that come with boldly."""
    folder = files("boldly") / "recipes"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def recipe_text(name: str) -> str:
    """The YAML of a recipe, comments and all."""
    return (files("boldly") / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")


def recipe_layer(name: str) -> Layer:
    document = parse_document(recipe_text(name), f"{name}.yaml")
    return Layer("recipe", _normal(document.values), name, document.lines)


def file_layer(path: Path) -> Layer:
    document = read_document(path)
    return Layer("file", _normal(document.values), str(path), document.lines)


def argument_layer(values: Mapping[str, Any]) -> Layer:
    return Layer("argument", _normal(dict(values)))


def environment_layer(environment: Mapping[str, str]) -> Layer:
    """The variables that begin with BOLDLY_, two underscores between the words of a nested key."""
    pairs = {
        tuple(name.removeprefix(PREFIX).lower().split("__")): text
        for name, text in sorted(environment.items())
        if name.startswith(PREFIX)
    }
    return Layer("environment", _from_texts(pairs, variable))


def flag_layer(flags: Mapping[str, str]) -> Layer:
    """Flags by their dotted names, without the dashes in front; the dashes within are read as underscores."""
    pairs = {tuple(name.replace("-", "_").split(".")): text for name, text in flags.items()}
    return Layer("flag", _from_texts(pairs, lambda key: f"--{'.'.join(key)}"))


def chosen_recipe(layers: Iterable[Layer]) -> str:
    """The recipe that the highest layer names, else the default. Raises `ConfigError` for one that isn't there."""
    name, origin = "default", None
    for layer in layers:
        if "recipe" in layer.values:
            name, origin = layer.values["recipe"], layer
    known = recipe_names()
    if name not in known:
        assert origin is not None
        near = nearest(str(name), known) or "default"
        raise ConfigError(
            f"{origin.where(('recipe',))}: `recipe` is {written(name)}, which is none of {', '.join(known)}: "
            f"write `{origin.line(('recipe',), near)}`."
        )
    return name


def merge(layers: Iterable[Layer]) -> Settings:
    """The settings of all layers, the lowest first."""
    values: dict[str, Any] = {}
    origins: dict[Key, Layer] = {}
    for layer in layers:
        _put(values, layer.values, (), layer, origins)
    return Settings(values, origins)


def _put(into: dict[str, Any], values: Mapping[str, Any], at: Key, layer: Layer, origins: dict[Key, Layer]) -> None:
    for name, value in values.items():
        key = (*at, name)
        below = into.get(name)
        origins[key] = layer
        if isinstance(value, Mapping):
            if not isinstance(below, dict) or (key in PART_KEYS and value.get("name", below["name"]) != below["name"]):
                below = {}
            into[name] = dict(below)
            _put(into[name], value, key, layer, origins)
        else:
            into[name] = value


def _normal(values: dict[str, Any], at: Key = ()) -> dict[str, Any]:
    """A part that is given by its name alone is a mapping with that name."""
    return {name: _named(value, (*at, name)) for name, value in values.items()}


def _named(value: Any, key: Key) -> Any:
    if isinstance(value, str) and key in PART_KEYS:
        return {"name": value}
    within = any(part[: len(key)] == key != part for part in PART_KEYS)
    return _normal(dict(value), key) if within and isinstance(value, Mapping) else value


def _from_texts(pairs: Mapping[Key, str], named: Callable[[Key], str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, text in pairs.items():
        value = text if _is_text(key) else parse_value(text, named(key))
        here = values
        for depth, word in enumerate(key[:-1], start=1):
            below = here.get(word)
            if isinstance(below, str) and key[:depth] in PART_KEYS:
                below = {"name": below}
            here[word] = below if isinstance(below, dict) else {}
            here = here[word]
        already = here.get(key[-1])
        if isinstance(already, dict) and isinstance(value, str) and key in PART_KEYS:
            value = {"name": value, **already}
        here[key[-1]] = value
    return _normal(values)


def _is_text(key: Key) -> bool:
    """Whether a key takes any text as it is, so that it needs no quotes: --output 2024."""
    if key[:-1] in PART_KEYS:
        return key[-1] == "name"
    return len(key) == 1 and key[0] in RunConfig.model_fields and RunConfig.model_fields[key[0]].annotation is str


def _nested(key: Key, value: Any) -> Any:
    for word in reversed(key):
        value = {word: value}
    return value

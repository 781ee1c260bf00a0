"""From a recipe, a file, arguments, the environment and flags to one checked configuration."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from boldly.config.documents import Key, nearest, written
from boldly.config.layers import (
    Settings,
    argument_layer,
    chosen_recipe,
    default_layer,
    environment_layer,
    file_layer,
    flag_layer,
    merge,
    recipe_layer,
)
from boldly.config.methods import REGISTRIES, function_of
from boldly.config.options import WORDS, options_model
from boldly.config.pairing import check_pairing
from boldly.config.problems import Problem, problems_of, refuse
from boldly.config.schema import PART_KEYS, PARTS, RunConfig
from boldly.hypotheses import Hypotheses
from boldly.oracles.bradley_terry import bradley_terry
from boldly.trackers import check_installed

M = TypeVar("M", bound=BaseModel)

_EXAMPLES = {name: word.example for name, word in WORDS.items()}
_OWN_MODEL_TOKENS = 256
_OWN_MODEL_RATE, _OWN_ADAPTER_RATE = 5e-6, 1e-4


def read_config(
    file: Path | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
) -> RunConfig:
    """The configuration that a recipe, a YAML file, arguments, variables and flags make together, the later winning.

    See `read_settings`. Raises `MissingExtra` also, for a tracker that isn't installed.
    """
    config, _ = read_settings(file, arguments=arguments, environment=environment, flags=flags)
    check_installed(config.report_to)
    return config


def read_settings(
    file: Path | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
) -> tuple[RunConfig, Settings]:
    """A configuration, and where each of its keys was set.

    `arguments` are keys and values from Python; of `environment` the variables that begin with BOLDLY_ are read;
    `flags` are dotted names with their texts. Every option that a method has is filled in. Nothing is written.

    Raises `ConfigError` with a line for each thing that can't work.
    """
    layers = [
        *([file_layer(file)] if file else []),
        argument_layer(arguments or {}),
        environment_layer(environment or {}),
        flag_layer(flags or {}),
    ]
    settings = merge([default_layer(), recipe_layer(chosen_recipe(layers)), *layers])
    config = _resolved(settings)
    refuse(check_pairing(config, settings), settings)
    return config, settings


def _resolved(settings: Settings) -> RunConfig:
    """The settings, typed, with every option of every method filled in."""
    values = _sized(settings.values)
    config, problems = _validated(RunConfig, values, (), _section_examples())
    for key in PART_KEYS:
        within = _holder(values, key)
        if isinstance(within.get(key[-1]), dict):
            within[key[-1]], wrong = _part(key, within[key[-1]], values)
            problems += wrong
    if isinstance(values.get("rehearsal"), dict):
        model = options_model(bradley_terry, without=("function",))
        _, wrong = _validated(model, values["rehearsal"], ("rehearsal",), _EXAMPLES)
        problems += wrong
    if isinstance(values.get("hypotheses"), dict):
        options, wrong = _validated(options_model(Hypotheses), values["hypotheses"], ("hypotheses",), _EXAMPLES)
        values["hypotheses"] = options.model_dump() if options else None
        problems += wrong
    refuse(problems, settings)
    assert config is not None
    values["recipe"] = config.recipe
    values["output"] = config.output or f"runs/{config.recipe}-seed{config.seed}"
    return RunConfig.model_validate(values)


def _holder(values: dict[str, Any], key: Key) -> dict[str, Any]:
    """The mapping that holds the last word of a key, copied on the way; an empty one where there is none."""
    for name in key[:-1]:
        if not isinstance(values.get(name), dict):
            return {}
        values[name] = dict(values[name])
        values = values[name]
    return values


def _sized(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the defaults that depend on the model's size: the bundled ones are a thousand times smaller."""
    values = dict(settings)
    if not _is_bundled(values):
        generation = values.get("generation", {})
        if isinstance(generation, dict):
            values["generation"] = {"max_tokens": _OWN_MODEL_TOKENS, **generation}
    return values


def _is_bundled(values: Mapping[str, Any]) -> bool:
    return values.get("model", "bundled") in ("bundled", "bundled-rare")


def _part(key: Key, part: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """A part with all its options, and what is wrong with it."""
    given, section, called = dict(part), key[-1], ".".join(key)
    name, registry = given.pop("name", None), REGISTRIES[section]
    if name is None:
        example = _section_examples().get(section, next(iter(registry)))
        return given, [Problem(key, f"`{called}` has no name", ((*key, "name"), example), given)]
    if name not in registry:
        example = nearest(str(name), list(registry)) or next(iter(registry))
        why = f"`{called}` is {written(name)}, which is none of {', '.join(registry)}"
        return given, [Problem((*key, "name"), why, ((*key, "name"), example))]
    model = options_model(function_of(registry[name]))
    for option, value in _run_wide(section, values).items():
        if option in model.model_fields:
            given.setdefault(option, value)
    options, problems = _validated(model, given, key, _EXAMPLES, part)
    return {"name": name, **(options.model_dump() if options else given)}, problems


def _run_wide(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Options that follow from the rest of the run where nobody gave them."""
    options = {"seed": values.get("seed", 0)}
    if section == "learner" and not _is_bundled(values):
        options["learning_rate"] = _OWN_MODEL_RATE if values.get("adapter") is None else _OWN_ADAPTER_RATE
    return options


def _section_examples() -> dict[str, Any]:
    """What to write for a key of the outermost mapping that has no default: what the default recipe has."""
    default = recipe_layer("default").values
    parts = {section: default[section]["name"] for section in PARTS if isinstance(default.get(section), dict)}
    return {"objective": {"name": "dpo", "beta": 0.1}, "hypotheses": {}, **parts}


def _validated(
    model: type[M],
    values: Mapping[str, Any],
    at: Key,
    examples: Mapping[str, Any],
    beside: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[M | None, list[Problem]]:
    try:
        return model.model_validate(values), []
    except ValidationError as error:
        return None, problems_of(error, model, at, examples, beside)

"""The settings of the lab's experiments: read from their signatures, and set as `key=value`."""

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from boldly.config.documents import nearest, parse_value, written
from boldly.config.options import WORDS, entry_of, options_model
from boldly.config.problems import problems_of
from boldly.errors import ConfigError
from boldly.lab.experiments import EXPERIMENTS, Experiment

_EXAMPLES = {name: word.example for name, word in WORDS.items()}
_PLAIN = (int, float, bool, str, type(None))


def experiment_named(name: str) -> Experiment:
    """The experiment of that name. Raises `ConfigError` with the nearest there is."""
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    known = ["all", *EXPERIMENTS]
    if near := nearest(name, known):
        raise ConfigError(f"{name} is no experiment: write `boldly lab {near}`.")
    raise ConfigError(f"{name} is no experiment, which are {', '.join(known)}: `boldly lab` says what each one asks.")


def question_of(experiment: Experiment) -> str:
    """The question an experiment answers: the first line of its docstring."""
    return (experiment.__doc__ or "").strip().partition("\n")[0]


def settings_model(experiment: Experiment) -> type[BaseModel]:
    """A strict model of what can be set as text: numbers, words, and sequences of them.

    An experiment may have other keyword arguments, such as methods of one's own: those are set from Python.
    """
    hints = typing.get_type_hints(experiment)
    return options_model(experiment, without=[name for name, hint in hints.items() if not _is_plain(hint)])


def read_settings(
    name: str, experiment: Experiment, assignments: Sequence[str], *, seeds: str | None = None
) -> dict[str, Any]:
    """The settings that `assignments` (each `key=value`) and the text of `--seeds` give to an experiment, checked.

    The entries of a sequence have commas between them. Raises `ConfigError` with a sentence for each that can't work.
    """
    model = settings_model(experiment)
    given = _assigned(name, model, assignments)
    if seeds is not None:
        _require_known(name, "seeds", model, "--seeds")
        if "seeds" in given:
            raise ConfigError("--seeds: is given twice, as `--set seeds=` too: write it once.")
        given["seeds"] = parse_value(seeds, "--seeds")
    try:
        checked = model.model_validate(given)
    except ValidationError as error:
        problems = problems_of(error, model, (), _EXAMPLES, {})
        flag = seeds is not None
        raise ConfigError("\n".join(_sentence(problem.why, problem.write, flag) for problem in problems)) from None
    return {key: getattr(checked, key) for key in given}


def flags_of(settings: Mapping[str, Any]) -> list[str]:
    """The words of a command line that give `settings` to an experiment."""
    words = []
    for key, value in settings.items():
        words += ["--seeds", text_of(value)] if key == "seeds" else ["--set", f"{key}={text_of(value)}"]
    return words


def text_of(value: Any) -> str:
    """A value as `--set` reads it."""
    return ",".join(map(text_of, value)) if isinstance(value, list | tuple) else str(written(value))


def _assigned(name: str, model: type[BaseModel], assignments: Sequence[str]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = (part.strip() for part in assignment.partition("="))
        if not equals or not key:
            raise ConfigError(f"--set {assignment}: has no `=`: write `--set {_example(model, key)}`.")
        key = key.replace("-", "_")
        _require_known(name, key, model, f"--set {assignment}")
        if not text:
            raise ConfigError(f"--set {assignment}: has no value: write `--set {_example(model, key)}`.")
        if key in given:
            raise ConfigError(f"--set {assignment}: `{key}` is given twice: write it once.")
        given[key] = _read(model.model_fields[key].annotation, text, f"--set {key}")
    return given


def _require_known(name: str, key: str, model: type[BaseModel], place: str) -> None:
    known = list(model.model_fields)
    if key in known:
        return
    if near := nearest(key, known):
        raise ConfigError(
            f"{place}: {name} has no setting `{key}`, but {', '.join(known)}: write `--set {_example(model, near)}`."
        )
    raise ConfigError(f"{place}: {name} has no setting `{key}`: its settings are {', '.join(known) or 'none'}.")


def _read(hint: Any, text: str, place: str) -> Any:
    if _entry(hint) is not None:
        inner = text[1:-1] if text[:1] + text[-1:] in ("[]", "()") else text
        return tuple(_read(_entry(hint), entry.strip(), place) for entry in inner.rstrip(",").split(","))
    return text if _is_text(hint) else parse_value(text, place)


def _is_text(hint: Any) -> bool:
    """Whether any text is a value as it is, so that `true` and `1` need no quotes."""
    if typing.get_origin(hint) is typing.Annotated:
        return _is_text(typing.get_args(hint)[0])
    return hint is str or (
        typing.get_origin(hint) is Literal and all(isinstance(word, str) for word in typing.get_args(hint))
    )


def _entry(hint: Any) -> Any:
    return next((entry_of(kind) for kind in (hint, *typing.get_args(hint)) if entry_of(kind) is not None), None)


def _example(model: type[BaseModel], key: str) -> str:
    """`key=value` that would do: for the key itself if the experiment has it, else for its first one."""
    fields = model.model_fields
    key = key if key in fields else next(iter(fields), "key")
    default = fields[key].default if key in fields and not fields[key].is_required() else _EXAMPLES.get(key, "value")
    return f"{key}={text_of(default)}"


def _sentence(why: str, write: tuple[tuple[str, ...], Any] | None, seeds_by_flag: bool) -> str:
    if write is None:
        return f"{why}."
    (key, *_), value = write
    line = f"--seeds {text_of(value)}" if key == "seeds" and seeds_by_flag else f"--set {key}={text_of(value)}"
    return f"{why}: write `{line}`."


def _is_plain(hint: Any) -> bool:
    if hint in _PLAIN or typing.get_origin(hint) is Literal:
        return True
    if typing.get_origin(hint) is typing.Annotated:
        return _is_plain(typing.get_args(hint)[0])
    if entry_of(hint) is not None:
        return _is_plain(entry_of(hint))
    return typing.get_origin(hint) in (typing.Union, types.UnionType) and all(map(_is_plain, typing.get_args(hint)))

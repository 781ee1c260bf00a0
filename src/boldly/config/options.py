"""Options, read from a function's signature: a strict model of them, bounded by what their names mean everywhere.

Imports no method, and so nothing that a method needs.
"""

import inspect
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model


@dataclass(frozen=True, slots=True)
class Word:
    """What an option of this name means wherever it appears: its bounds, and a value to show in an error.

    "method.option" is the option of one method alone, where it has other bounds than the word. A sequence is bounded
    entry by entry, by the word of its own name or else of that name's singular: `betas` by `beta`.
    """

    example: Any
    above: float | None = None
    least: float | None = None
    most: float | None = None
    finite: bool = True


WORDS: Mapping[str, Word] = {
    "alpha": Word(1e-4, least=0.0),
    "anchor": Word(0.02, least=0.0),
    "arms": Word(20, least=2.0),
    "batch": Word(32, above=0.0),
    "beta": Word(0.1, above=0.0),
    "bound": Word(8.0, above=0.0),
    "clip": Word(1.0, above=0.0),
    "decay_to": Word(1.0, least=0.0, most=1.0),
    "depth": Word(4, above=0.0),
    "epsilon": Word(0.01, above=0.0),
    "eta": Word(1.0, above=0.0),
    "fade": Word(256, above=0.0),
    "flip": Word(0.1, least=0.0, most=1.0),
    "floor": Word(20.0, least=0.0, finite=False),
    "function": Word("oracle.py:reward"),
    "learning_rate": Word(3e-4, above=0.0),
    "members": Word(8, least=2.0),
    "moving_average.tau": Word(0.1, least=0.0, most=1.0),
    "noise": Word(0.0, least=0.0),
    "novelty": Word(0.25, least=0.0, most=1.0),
    "optimism": Word(1.0, least=0.0),
    "price": Word(0.0, least=0.0),
    "prior": Word(2.5, least=0.0),
    "rounds": Word(200, above=0.0),
    "scale": Word(1.0, least=0.0, finite=False),
    "seeds": Word(100, above=0.0),
    "steps": Word(8, above=0.0),
    "tau": Word(0.1, above=0.0),
    "timeout": Word(60.0, above=0.0),
    "units": Word(64, above=0.0),
    "vocabulary": Word(16, least=2.0),
    "warmup": Word(64, least=0.0),
    "workers": Word(1, above=0.0),
}


def options_model(function: Callable[..., Any], *, without: Collection[str] = ()) -> type[BaseModel]:
    """A strict model of the options of `function`: its keyword-only parameters, or every field of a dataclass.

    Those named in `without` are left out.
    """
    hints = typing.get_type_hints(function.__init__ if isinstance(function, type) else function)
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if (parameter.kind is parameter.KEYWORD_ONLY or isinstance(function, type)) and parameter.name not in without:
            default = ... if parameter.default is parameter.empty else parameter.default
            hint = hints[parameter.name]
            fields[parameter.name] = (_bounded(hint, _word(function, parameter.name, hint)), default)
    return create_model("Options", __config__=ConfigDict(extra="forbid", strict=True), **fields)


def example_options(function: Callable[..., Any]) -> dict[str, Any]:
    """Options that `function` takes: its defaults, and examples where it has none."""
    fields = options_model(function).model_fields
    return {name: WORDS[name].example if field.is_required() else field.default for name, field in fields.items()}


def entry_of(hint: Any) -> Any:
    """The type of the entries of a sequence of any length, else None."""
    kinds = typing.get_args(hint)
    if typing.get_origin(hint) is Sequence:
        return kinds[0]
    return kinds[0] if typing.get_origin(hint) is tuple and kinds[1:] == (...,) else None


def _word(function: Callable[..., Any], option: str, hint: Any) -> Word | None:
    singular = option if entry_of(hint) is None else option.removesuffix("s")
    return WORDS.get(f"{function.__name__}.{option}") or WORDS.get(option) or WORDS.get(singular)


def _bounded(hint: Any, word: Word | None) -> Any:
    entry, kinds = entry_of(hint), typing.get_args(hint)
    if entry is not None:
        bounded = _bounded(entry, word)
        return tuple[bounded, ...] if typing.get_origin(hint) is tuple else Sequence[bounded]
    if type(None) in kinds:
        return typing.Union[(*(_bounded(kind, word) for kind in kinds if kind is not type(None)), None)]
    hint = Annotated[hint, AfterValidator(_is_number)]
    if word is None:
        return hint
    if word.above is not None:
        hint = Annotated[hint, Field(gt=word.above)]
    if word.least is not None:
        hint = Annotated[hint, Field(ge=word.least)]
    if word.most is not None:
        hint = Annotated[hint, Field(le=word.most)]
    return Annotated[hint, AfterValidator(_is_finite)] if word.finite else hint


def _is_number(value: Any) -> Any:
    if value != value:
        raise ValueError("a number")
    return value


def _is_finite(value: Any) -> Any:
    if value in (float("inf"), float("-inf")):
        raise ValueError("a finite number")
    return value

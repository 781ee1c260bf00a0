"""Options, read from a function's signature: a strict model of them, bounded by what their names mean everywhere.

Imports no method, and so nothing that a method needs.
"""

import inspect
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model


@dataclass(frozen=True, slots=True)
class Word:
    """What an option of this name means wherever it appears: its bounds, and a value to show in an error.

    "method.option" is the option of one method or experiment alone, where it has other bounds than the word. A sequence
    is bounded entry by entry, by the word of its own name or else of that name's singular: `betas` by `beta`. It needs
    `different` entries that differ.
    """

    example: Any
    above: float | None = None
    below: float | None = None
    least: float | None = None
    most: float | None = None
    finite: bool = True
    different: int = 1


MOST_SEEDS = 100_000
"""Instances and repetitions are held in memory together."""

WORDS: Mapping[str, Word] = {
    "abstentions": Word(0.02, least=0.0, most=1.0),
    "actions.hypotheses": Word(100, least=2.0),
    "actions.vocabularies": Word((4, 16, 64), least=3.0),
    "alpha": Word(1e-4, least=0.0),
    "anchor": Word(0.02, least=0.0),
    "answers": Word("scores"),
    "arms": Word(20, least=2.0),
    "bad_labels.rates": Word((0.1, 0.2), above=0.0, below=0.5),
    "bad_labels.scale": Word(3.0, above=0.0),
    "batch": Word(32, above=0.0),
    "batch_tokens": Word(16384, above=0.0),
    "beta": Word(0.1, above=0.0),
    "beta.times": Word((0.1, 1.0, 10.0), above=0.0),
    "bound": Word(8.0, above=0.0),
    "canaries": Word(0.02, least=0.0, most=1.0),
    "clip": Word(1.0, above=0.0),
    "command": Word("python grader.py"),
    "decay_to": Word(1.0, least=0.0, most=1.0),
    "delay": Word(0.0, least=0.0),
    "depth": Word(4, above=0.0),
    "draws": Word(1, above=0.0),
    "epsilon": Word(0.01, above=0.0),
    "eta": Word(1.0, above=0.0),
    "exact_limit": Word(40, above=0.0),
    "fade": Word(256, above=0.0),
    "failures": Word(0.02, least=0.0, most=1.0),
    "first_experiments.alpha": Word(0.01, above=0.0),
    "first_experiments.epsilon": Word(0.01, above=0.0, below=1.0),
    "flip": Word(0.1, least=0.0, most=1.0),
    "floor": Word(20.0, least=0.0, finite=False),
    "function": Word("oracle.py:reward"),
    "games.horizons": Word((10, 20, 40), above=0.0, different=3),
    "identities.responses": Word(6, least=3.0),
    "intransitivity": Word(0.5),
    "itself.gamma": Word(0.01),
    "judge.temperature": Word(0.0, least=0.0, most=2.0),
    "labels": Word(350, above=0.0),
    "labels_per_round": Word(200, above=0.0),
    "learning_rate": Word(3e-4, above=0.0),
    "lease_seconds": Word(300.0, least=10.0, most=86_400.0),
    "length_bias": Word(0.001),
    "limit": Word(4000, above=0.0),
    "many": Word(100, above=0.0, most=MOST_SEEDS),
    "margin": Word(0.0, least=0.0),
    "max_length": Word(4096, above=0.0),
    "max_tokens": Word(1024, above=0.0),
    "members": Word(8, least=2.0),
    "model": Word("gpt-4.1-mini"),
    "moving_average.tau": Word(0.1, least=0.0, most=1.0),
    "noise": Word(0.0, least=0.0),
    "novelty": Word(0.25, least=0.0, most=1.0),
    "optimism": Word(1.0, least=0.0),
    "outage_from": Word(20, least=0.0),
    "outage_to": Word(40, least=0.0),
    "overlap": Word(1, least=1.0, most=100.0),
    "per_round": Word(8, above=0.0),
    "planted_rate": Word(0.05, least=0.0, most=1.0),
    "position_bias": Word(0.5),
    "price": Word(0.0, least=0.0),
    "price_in": Word(0.4, least=0.0),
    "price_out": Word(1.6, least=0.0),
    "prior": Word(2.5, least=0.0),
    "rare_arm.alpha": Word(0.01, above=0.0),
    "rare_arm.epsilon": Word(1e-3, above=0.0, below=1.0),
    "rare_rounds": Word(100, above=0.0),
    "rare_seeds": Word(10, above=0.0, most=MOST_SEEDS),
    "ratio": Word(0.1, above=0.0),
    "reference_coverage.masses": Word((0.25, 1e-3, 1e-12), above=0.0, most=0.25, different=3),
    "repeat_rate": Word(0.05, least=0.0, most=1.0),
    "response_limit": Word(20_000, least=1.0),
    "reward_model.model": Word("my-reward-model"),
    "rounds": Word(200, above=0.0),
    "scale": Word(1.0, least=0.0, finite=False),
    "second_sampler.distances": Word((1, 3, 6), least=1.0, different=2),
    "seeds": Word(100, above=0.0, most=MOST_SEEDS),
    "source": Word("labels.jsonl"),
    "steps": Word(8, above=0.0),
    "stochastic.noises": Word((0.0, 0.5), least=0.0, most=1.0, different=2),
    "stochastic.scale": Word(4.0, above=0.0),
    "stochastic.seeds": Word(40, least=2.0, most=MOST_SEEDS),
    "tau": Word(0.1, above=0.0),
    "ties": Word(0.5, least=0.0),
    "timeout": Word(60.0, above=0.0),
    "total_time": Word(300.0, above=0.0),
    "trap.arms": Word((10, 100), least=4.0, most=1e5),
    "trap.dimensions": Word((2, 8), least=1.0, most=1e3),
    "trap.masses": Word((1e-2, 1e-4), least=1e-200, most=0.42),
    "trap.ratios": Word((0.0, 2.0), least=0.0, most=100.0),
    "two_arms.beta": Word(0.015, least=2e-4, most=0.18, different=3),
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
    hints = typing.get_type_hints(function.__init__ if isinstance(function, type) else function)
    found: dict[str, Any] = {}
    for name, field in options_model(function).model_fields.items():
        word = _word(function, name, hints[name])
        found[name] = word.example if field.is_required() and word else field.default
    return found


def entry_of(hint: Any) -> Any:
    """The type of the entries of a sequence of any length, else None."""
    kinds = typing.get_args(hint)
    if typing.get_origin(hint) is Sequence:
        return kinds[0]
    return kinds[0] if typing.get_origin(hint) is tuple and kinds[1:] == (...,) else None


def _word(function: Callable[..., Any], option: str, hint: Any) -> Word | None:
    singular = option if entry_of(hint) is None else option.removesuffix("s")
    own = (f"{function.__name__}.{option}", f"{function.__name__}.{singular}")
    return next((WORDS[name] for name in (*own, option, singular) if name in WORDS), None)


def _bounded(hint: Any, word: Word | None) -> Any:
    entry, kinds = entry_of(hint), typing.get_args(hint)
    if entry is not None:
        bounded = _bounded(entry, word)
        several = tuple[bounded, ...] if typing.get_origin(hint) is tuple else Sequence[bounded]
        return Annotated[several, AfterValidator(partial(_differ, word.different))] if word else several
    if type(None) in kinds:
        return typing.Union[(*(_bounded(kind, word) for kind in kinds if kind is not type(None)), None)]
    hint = Annotated[hint, AfterValidator(_is_number)]
    if word is None:
        return hint
    if word.above is not None:
        hint = Annotated[hint, Field(gt=word.above)]
    if word.below is not None:
        hint = Annotated[hint, Field(lt=word.below)]
    if word.least is not None:
        hint = Annotated[hint, Field(ge=word.least)]
    if word.most is not None:
        hint = Annotated[hint, Field(le=word.most)]
    return Annotated[hint, AfterValidator(_is_finite)] if word.finite else hint


def _differ(least: int, values: Sequence[Any]) -> Sequence[Any]:
    if len(set(values)) < least:
        raise ValueError(f"a list of at least {least} different values")
    return values


def _is_number(value: Any) -> Any:
    if value != value:
        raise ValueError("a number")
    return value


def _is_finite(value: Any) -> Any:
    if value in (float("inf"), float("-inf")):
        raise ValueError("a finite number")
    return value

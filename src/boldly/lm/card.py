"""The model card: what a trained model is, what its labels bought, and how to make it again."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

import yaml

from boldly.lm.inspect import is_hub_name

Library = Literal["transformers", "peft"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured number with the ends of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured quantity of the model, and of the base where it has one there: reward, win rate, KL."""

    name: str
    model: Estimate
    base: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """What a model card says.

    `labels` counts them by kind of verdict; `figures` come from held-out prompts, with intervals at `confidence`;
    `method` is a sentence on the recipe; `configuration` is what `boldly run --config` takes, without the run's own
    directory; `limits` are what not to conclude from it.
    """

    base_model: str
    recipe: str
    method: str
    labels: Mapping[str, int]
    figures: tuple[Figure, ...]
    confidence: float
    configuration: Mapping[str, object]
    seed: int
    software: Mapping[str, str]
    limits: tuple[str, ...]


def render(card: Card, library: Library) -> str:
    """README.md of the model: a YAML header for the Hub, then Markdown. Names no directory of this machine."""
    base = public_name(card.base_model)
    header = {
        "base_model": base,
        "library_name": library,
        "pipeline_tag": "text-generation",
        "tags": ["boldly", "preference-optimization", "online", card.recipe],
    }
    parts = [
        f"---\n{_yaml(header)}---",
        f"# {base}, aligned with {card.recipe}",
        f"Trained with boldly from `{base}`. {card.method}",
        f"## Labels\n\n{_labels(card.labels)}",
        f"## What they bought\n\n{_figures(card)}",
        "## How to make it again\n\nSave this as `run.yaml`; paths are cut to their last part.\n\n"
        f"```yaml\n{_yaml(public(card.configuration))}```\n\n```\nboldly run --config run.yaml\n```",
        f"Seed {card.seed}. {_software(card.software)}",
    ]
    if card.limits:
        parts.append("## Limits\n\n" + "\n".join(f"- {limit}" for limit in card.limits))
    return "\n\n".join(parts) + "\n"


def public_name(model: str) -> str:
    """A Hub name without its revision, or the last part of a path."""
    return model.partition("@")[0] if is_hub_name(model) else PurePath(model).name


def public(value: object) -> object:
    """A configuration's value with every absolute path in it cut to its last part."""
    match value:
        case str() if value.startswith(("/", "~")):
            return PurePath(value).name
        case Mapping():
            return {key: public(each) for key, each in value.items()}
        case list():
            return [public(each) for each in value]
        case _:
            return value


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def _labels(labels: Mapping[str, int]) -> str:
    rows = [f"| {kind} | {count} |" for kind, count in labels.items()]
    return "\n".join(["| verdict | labels |", "|---|---:|", *rows, f"| all | {sum(labels.values())} |"])


def _figures(card: Card) -> str:
    if not card.figures:
        return "Nothing was measured on held-out prompts."
    rows = [f"| {f.name} | {_estimate(f.base)} | {_estimate(f.model)} |" for f in card.figures]
    table = "\n".join(["| on held-out prompts | base | this model |", "|---|---|---|", *rows])
    return f"{table}\n\nIn brackets: intervals at {card.confidence:.0%} confidence."


def _estimate(estimate: Estimate | None) -> str:
    return "" if estimate is None else f"{estimate.value:.3g} [{estimate.low:.3g}, {estimate.high:.3g}]"


def _software(software: Mapping[str, str]) -> str:
    return "Written with " + ", ".join(f"{name} {version}" for name, version in software.items()) + "."

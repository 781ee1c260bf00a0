"""`boldly doctor judge`: what a judge's service can do and what a label will cost, before any is bought."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from boldly.errors import InvalidInput

if TYPE_CHECKING:
    from boldly.oracles.judge import Judge


def judge(
    *,
    config: Annotated[Path | None, Parameter(help="take the judge of this configuration")] = None,
    model: Annotated[str | None, Parameter(help="the model, as its service names it")] = None,
    base_url: Annotated[str | None, Parameter(help="the service; OPENAI_BASE_URL or OpenAI's if not given")] = None,
    price_in: Annotated[float | None, Parameter(help="price of a million tokens in")] = None,
    price_out: Annotated[float | None, Parameter(help="price of a million tokens out")] = None,
    key_variable: Annotated[
        str | None, Parameter(help="the variable that holds the key; OPENAI_API_KEY if not given")
    ] = None,
    canaries: Annotated[bool, Parameter(negative=(), help="also put up canaries: ten calls more")] = False,
    json: Annotated[bool, Parameter(negative=(), help="print one JSON object")] = False,
) -> int:
    flags = {
        "model": model,
        "base_url": base_url,
        "price_in": price_in,
        "price_out": price_out,
        "key_variable": key_variable,
    }
    options = _configured(config) | {name: value for name, value in flags.items() if value is not None}
    if "model" not in options:
        raise InvalidInput("which judge? Write `--model NAME`, or `--config FILE` of a configuration with a judge.")
    from boldly.oracles.judge import judge as make

    found = examine(make(**options), canaries=canaries)
    print(_as_json(found) if json else "\n".join(_lines(found)))
    return 0


def examine(judge: "Judge", *, canaries: bool) -> dict[str, Any]:
    """What two answered calls tell of a judge, and with `canaries` how it judges those."""
    found = asdict(judge.probe())
    return found | {"canaries": judge.canaries()} if canaries else found


def _configured(file: Path | None) -> dict[str, Any]:
    """The options of the judge in a configuration."""
    if file is None:
        return {}
    from boldly.config.reading import read_config

    config = read_config(file, environment=os.environ)
    for part in (config.oracle, config.evaluation.oracle):
        if part is not None and part.name == "judge":
            return dict(part.options)
    raise InvalidInput(f"{file}: its oracle is `{config.oracle.name}`: write `oracle: {{name: judge, model: NAME}}`.")


def _as_json(found: dict[str, Any]) -> str:
    return json.dumps(found)


def _lines(found: dict[str, Any]) -> list[str]:
    def yes(key: str) -> str:
        return "yes" if found[key] else "no"

    lines = [
        ("service", f"{found['base_url']}, {found['model']}"),
        ("answers in", f"{found['seconds']:.2f} s"),
        ("log-probabilities", yes("logprobs")),
        ("JSON by schema", yes("structured")),
        ("verdict: auto", f"takes {found['mode']}"),
        ("token limit", found["limit"]),
        ("temperature", "taken" if found["temperature"] else "not taken; the service's own"),
        ("system message", "taken" if found["system"] else "not taken; joined to the user's"),
        ("tells usage", yes("usage")),
        ("prefers the better", yes("right")),
    ]
    if found["label"] is None:
        lines.append(("a label", f"costs unknown: every call counts at its bound, {found['bound']:.6g} a label here"))
    else:
        lines.append(("a label", f"{found['label']:.6g} for a short pair, {found['bound']:.6g} at most"))
        lines.append(("longer responses", f"{found['per_1000']:.6g} more for each 1,000 characters"))
    lines += [(f"canary, {canary['name']}", canary["outcome"]) for canary in found.get("canaries", ())]
    return [f"{name:<28}{told}" for name, told in lines]

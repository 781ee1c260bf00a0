"""A rehearsal: the same run with a simulated labeller in place of its oracle, before a cent is spent."""

from typing import Any

from boldly.config.building import build_oracle
from boldly.config.schema import Part, RunConfig
from boldly.errors import InvalidInput
from boldly.oracles.rehearsal import KNOBS, REWARD
from boldly.types import Prompt, Query, Response

_CHARACTERS_PER_TOKEN = 4


def rehearsed(config: RunConfig) -> RunConfig:
    """`config` with simulated labels, in a directory of its own.

    The labeller has a hidden reward and the habits of the oracle's kind (`boldly.oracles.rehearsal`), or the options
    that the key `rehearsal` gives; it takes the oracle's bound as its price, for responses of the greatest length.
    An oracle that is simulated already stays. Rounds are drawn as far ahead as they would be for the oracle.
    """
    labeller = config.oracle
    if labeller.name != "bradley_terry":
        options = {"price": _price(config), **KNOBS[config.oracle.name], **(config.rehearsal or {})}
        labeller = Part.model_validate({"name": "bradley_terry", "function": REWARD, "seed": config.seed, **options})
    changes: dict[str, Any] = {"oracle": labeller, "output": f"{config.output}-rehearsal", "ledger": "", "labels": ""}
    if config.ahead:
        changes["schedule"] = config.schedule.model_copy(update={"ahead": config.ahead})
    changes["evaluation"] = config.evaluation.model_copy(update={"oracle": None})
    if config.consistency is not None:
        changes["consistency"] = config.consistency.model_copy(update={"oracle": None})
    return config.model_copy(update=changes)


def _price(config: RunConfig) -> float:
    """The most that a label costs; the option `price` where the oracle can't be made yet, as without its key."""
    try:
        oracle = build_oracle(config.oracle)
    except InvalidInput:
        return float(config.oracle.options.get("price", 0.0))
    text = "x" * _CHARACTERS_PER_TOKEN * config.generation.max_tokens
    said = Response(text, (), "rehearsal", 0.0, 0.0)
    return oracle.bound(Query(Prompt(text), said, said, 0, 0))

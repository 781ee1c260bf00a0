"""The card that a run puts on the model it returns."""

import json
import sys
from importlib.metadata import version

import torch
import transformers

from boldly.config.schema import RunConfig
from boldly.ledger import Ledger
from boldly.lm.card import Card, Estimate, Figure
from boldly.progress import Interval, Result

_METHODS = {
    "default": "Reward hypotheses fitted to the labels chose what to label next and said what the policy should learn; "
    "it was fitted to a pool of samples by weighted likelihood.",
    "iterative-dpo": "Rounds of direct preference optimization on the newest labels, against the previous iterate.",
    "online-dpo": "Online direct preference optimization: pairs of the policy's own responses, one step on each label.",
    "passive": "Exploratory preference optimization with its bonus switched off (alpha 0).",
    "selm": "Self-exploring language models (arXiv 2405.19332).",
    "vpo": "Value-incentivized preference optimization (arXiv 2405.19320).",
    "xpo": "Exploratory preference optimization (arXiv 2405.21046, Algorithm 1).",
}


def card_of(config: RunConfig, result: Result, ledger: Ledger) -> Card:
    """What the run did, in the words of a model card."""
    spent = ledger.spent()
    estimates = (
        ("reward on held-out prompts", result.reward, result.reward_base),
        ("win rate against the base", result.win_rate, None),
        ("KL from the base (nats)", result.kl, None),
    )
    return Card(
        base_model="boldly-" + config.model if config.bundled else config.model,
        recipe=config.recipe,
        method=_METHODS.get(
            config.recipe, f"Parts: {config.sampler.name}, {config.selector.name}, {config.learner.name}."
        ),
        labels={
            "preferences": spent.preferences,
            "ties": spent.ties,
            "both bad": spent.both_bad,
            "abstentions": spent.abstentions,
        },
        figures=tuple(
            Figure(name, _estimate(model), _estimate(base) if base else None)
            for name, model, base in estimates
            if model
        ),
        confidence=0.95,
        configuration=config.model_dump(mode="json", exclude={"output"}),
        seed=config.seed,
        software={
            "boldly": version("boldly"),
            "python": ".".join(map(str, sys.version_info[:3])),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        limits=_limits(config, result),
    )


def _limits(config: RunConfig, result: Result) -> tuple[str, ...]:
    return (*_judged(config, result), *_stopped(config.generation.stop))


def _stopped(strings: list[str]) -> tuple[str, ...]:
    """Not in generation_config.json: transformers' `generate` refuses to run with it there and no tokenizer given."""
    if not strings:
        return ()
    return (
        f"It goes on behind the strings that ended its answers; `generate(..., tokenizer=tokenizer, "
        f"stop_strings={json.dumps(strings, ensure_ascii=False)})` stops it there.",
    )


def _judged(config: RunConfig, result: Result) -> tuple[str, ...]:
    if result.chosen_by == "newest":
        return (
            "The newest iterate, judged by nobody: no reward and no win rate on held-out prompts says whether it is "
            "better than the base.",
        )
    return (
        f"Judged on at most {config.evaluation.prompts} held-out prompts by the oracle that labelled.",
        f"Chosen among all iterates by {result.chosen_by.replace('_', ' ')} on them, which flatters it a little.",
    )


def _estimate(interval: Interval) -> Estimate:
    return Estimate(interval.value, interval.low, interval.high)

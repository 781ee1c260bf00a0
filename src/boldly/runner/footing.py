"""Whether a run fits into memory, found before anything is bought, and the micro-batches it will take."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import psutil

from boldly.config.building import adapter, generation
from boldly.config.prompts import PromptSet
from boldly.config.schema import RunConfig
from boldly.errors import InvalidInput
from boldly.lm.encode import encode
from boldly.lm.footprint import USABLE, Fit, Sketch, Work, fit, sketch
from boldly.lm.learners import PreferenceLearner, ProjectionLearner
from boldly.lm.memory import free, micro_batch
from boldly.lm.model import Generation, LanguageModel
from boldly.lm.network import Findings, network
from boldly.lm.recompute import recompute
from boldly.lm.sampling import native
from boldly.loop import Parts
from boldly.pretrained import first_line
from boldly.samplers import Sampler
from boldly.types import Prompt

log = logging.getLogger(__name__)

_LONGEST = 32
_FROZEN = {"fixed": 1, "previous": 3, "moving_average": 4}
"""Full weights beside the live ones: the base, and where the reference moves, two iterates and their average."""
_LATER = 96 * 2**20
"""Code and buffers of kernels that have not run when a run is planned, and what the allocator can't give back."""
_ADAPTERS = 17
"""Adapters beside the live one where the reference moves: the base's and those that the archive keeps in memory."""


def footing(config: RunConfig, parts: Parts, lm: LanguageModel, prompts: PromptSet) -> Fit | None:
    """What the run takes of memory, and its micro-batches; None where this model can't be planned.

    Raises `ConfigError` where not even the smallest fit.
    """
    net = network(lm)

    def sketched(checkpointing: bool) -> Sketch:
        return sketch(
            net.causal.config,
            dtype=net.causal.dtype,
            adapter=adapter(config),
            checkpointing=checkpointing,
            found=Findings(net.shares, net.apart, net.direct),
        )

    held = sum(p.numel() * p.element_size() for p in lm.module.parameters())
    choices = [False, True] if config.checkpointing == "auto" else [config.checkpointing]
    if not net.causal.supports_gradient_checkpointing:
        choices = choices[:1]
    try:
        found = fit(
            sketched,
            _work(config, parts, lm, prompts),
            train_tokens=min(config.generation.batch_tokens, micro_batch(lm.device)),
            sample_tokens=config.generation.batch_tokens,
            checkpointing=choices,
            device=lm.device,
            room=int(USABLE * (free(lm.device) + held)),
        )
    except InvalidInput:
        raise
    except Exception as error:  # a module that can't be run without values may say so in any way it likes
        log.warning("memory is not planned for %s (%s)", type(net.causal).__name__, first_line(error))
        return None
    return (
        replace(found, beside=psutil.Process().memory_info().rss - held + _LATER) if lm.device.type == "cpu" else found
    )


def settle(config: RunConfig, parts: Parts, lm: LanguageModel, prompts: PromptSet) -> Generation:
    """Set the learner and the module up for what fits, and say how to sample."""
    found, said = footing(config, parts, lm, prompts), generation(config)
    if found is None:
        if config.checkpointing is True:
            recompute(lm.module)
        return said
    if found.checkpointing:
        recompute(lm.module)
    assert isinstance(parts.learner, PreferenceLearner | ProjectionLearner)
    parts.learner.descent.batch_tokens = found.train_tokens
    return replace(said, batch_tokens=found.sample_tokens)


def _work(config: RunConfig, parts: Parts, lm: LanguageModel, prompts: PromptSet) -> Work:
    learner, schedule = parts.learner, config.schedule
    assert isinstance(learner, PreferenceLearner | ProjectionLearner)
    assert isinstance(parts.sampler, Sampler)
    draws = parts.sampler.policy + parts.sampler.reference
    compared = 2 if isinstance(learner, PreferenceLearner) else min(draws, learner.batch)
    longest = _longest(lm, [*prompts.train, *prompts.heldout])
    moves = config.reference.name != "fixed"
    policies = (parts.sampler.policy > 0) + (parts.sampler.reference > 0)
    return Work(
        prompt=longest,
        response=max(1, min(config.generation.max_tokens, lm.context - longest)),
        compared=compared,
        batch=learner.batch if isinstance(learner, PreferenceLearner) else ceil(learner.batch / compared),
        drawn=max(parts.sampler.policy, parts.sampler.reference),
        prompts=max(schedule.labels_per_round * schedule.prompts_per_label, config.evaluation.prompts),
        policies=policies,
        apart=config.generation.engine == "vllm",
        native=config.generation.engine in ("auto", "native") and not native.misfit([lm]),
        frozen=(_ADAPTERS if moves else 1) if lm.adapter else _FROZEN[config.reference.name],
    )


def _longest(lm: LanguageModel, prompts: Sequence[Prompt]) -> int:
    """Tokens of the longest prompt, found among those with the most characters."""
    most = sorted(prompts, key=lambda prompt: len(prompt.text), reverse=True)[:_LONGEST]
    return max(len(encode(lm, prompt)) for prompt in most)

"""What a run would do, before it does anything: labels, money, time, memory, disk, and what is sent where."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from math import ceil
from pathlib import Path
from statistics import fmean

import torch

from boldly.config.building import build, generation
from boldly.config.prompts import load_prompts
from boldly.config.schema import RunConfig
from boldly.lm.footprint import Fit
from boldly.lm.policy import LMPolicy
from boldly.loop import Parts
from boldly.metrics import read
from boldly.oracles import Oracle, Sending
from boldly.progress import Record
from boldly.randomness import derive
from boldly.runner.answering import Answering, answering
from boldly.runner.directory import RunDirectory, choose
from boldly.runner.footing import footing
from boldly.runner.past import Past, past
from boldly.runner.policies import load_model, threads
from boldly.types import Account, Prompt, Query, Response

_MEASURED = 32
_PATIENCE = 10.0
"""Seconds after which no more is measured: a large model would take minutes for all of it."""
_BACKWARD = 3
"""A forward and a backward pass cost as much as three forward passes."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """What one account may still buy: labels (None: no limit), the price of one, and the most that they can cost."""

    account: Account
    labels: int | None
    each: float
    most: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do. `seconds` are by phase, on this machine and without the oracle's; `disk` is bytes.

    `measured` says in words what the seconds were measured on.

    `memory` is what it takes of the model's device, and None where that can't be planned for its kind of model.
    """

    run: Path
    recipe: str
    kept: int
    rounds: int
    purchases: tuple[Purchase, ...]
    responses: int
    seconds: dict[str, float]
    measured: str
    memory: Fit | None
    disk: int
    free: int
    sent: dict[str, str]


def plan(config: RunConfig, held: Oracle | None = None) -> Plan:
    """What `boldly.runner.execute` would do with `config`. It asks nobody and writes nothing.

    Prices are bounds of the oracle's, for responses that the base model draws now. Times are those of the run's past
    rounds, else measured on a few prompts, for some ten seconds or on one of them where that takes longer. Raises what
    `execute` raises before it writes.
    """
    run = choose(config, fork=False)
    torch.set_num_threads(threads(config))
    prompts = load_prompts(config)
    oracles = answering(config, held)
    parts = build(config)
    lm = load_model(config, prompts)
    memory = footing(config, parts, lm, prompts)
    policy = LMPolicy("iterate-0", lm, generation(config))
    before = past(config.ledger or run.ledger)
    first, records = prompts.train[:_MEASURED], read(run.metrics)
    drawn, seconds = _drawn(policy, first, config.seed)
    queries = [Query(p, said[0], said[1], 0, i) for i, (p, said) in enumerate(zip(first, cycle(drawn), strict=False))]
    budget = config.budget if oracles.records is None else min(config.budget, len(oracles.records))
    labels = max(0, budget - before.labels)
    rounds = ceil(labels / config.schedule.labels_per_round)
    size = sum(p.numel() * p.element_size() for p in lm.module.parameters() if p.requires_grad or not lm.adapter)
    return Plan(
        run=run.root,
        recipe=config.recipe,
        kept=before.labels,
        rounds=rounds,
        purchases=tuple(_purchases(config, oracles, queries, before, budget)),
        responses=rounds * _responses(config, parts),
        seconds=_seconds(config, parts, rounds, seconds, records),
        measured="measured in its past rounds" if len(records) > 1 else _measured(len(drawn), len(first)),
        memory=memory,
        disk=(rounds + 1) * size + 2 * sum(map(_moved, lm.module.parameters())),
        free=shutil.disk_usage(_existing(run.root)).free,
        sent=_sent(config, oracles, run),
    )


def _moved(p: torch.nn.Parameter) -> int:
    """Bytes of what the optimiser keeps of a parameter: two moments and, below 32 bits, a master."""
    if not p.requires_grad:
        return 0
    return p.numel() * (2 * p.element_size() if p.element_size() >= 4 else 3 * 4)


def _measured(drawn: int, of: int) -> str:
    said = f"measured on {drawn} prompt{'' if drawn == 1 else 's'}"
    return said if drawn == of else f"{said}, as {of} would take more than {_PATIENCE:g} s"


def _drawn(policy: LMPolicy, prompts: Sequence[Prompt], seed: int) -> tuple[list[list[Response]], tuple[float, float]]:
    """What `_draw` gives for as many prompts as `_PATIENCE` suffices for: at least one, at most all of them.

    Each attempt has four times the prompts of the one before and takes its place, as a round draws many at once.
    """
    one_token = replace(policy, generation=replace(policy.generation, max_tokens=1))
    _draw(one_token, prompts[:1], seed)  # compiles, loads and starts what a run needs once
    begun, count = time.perf_counter(), 1
    drawn, seconds = _draw(policy, prompts[:count], seed)
    while count < len(prompts):
        count = min(4 * count, len(prompts))
        if time.perf_counter() - begun + 2 * count * sum(seconds) > _PATIENCE:
            break
        drawn, seconds = _draw(policy, prompts[:count], seed)
    return drawn, seconds


def _draw(policy: LMPolicy, prompts: Sequence[Prompt], seed: int) -> tuple[list[list[Response]], tuple[float, float]]:
    """Two responses to each prompt, and the seconds that sampling and scoring one takes."""
    begun = time.perf_counter()
    drawn = policy.sample(prompts, 2, seed=derive(seed, "plan"))
    sampled = time.perf_counter()
    flat = [(prompt, said) for prompt, both in zip(prompts, drawn, strict=True) for said in both]
    policy.log_probs([prompt for prompt, _ in flat], [said for _, said in flat])
    scored = time.perf_counter()
    return drawn, ((sampled - begun) / len(flat), (scored - sampled) / len(flat))


def _responses(config: RunConfig, parts: Parts) -> int:
    """How many responses a round samples."""
    prompts = config.schedule.labels_per_round * config.schedule.prompts_per_label
    return prompts * (parts.sampler.policy + parts.sampler.reference)


def _seconds(
    config: RunConfig, parts: Parts, rounds: int, each: tuple[float, float], records: Sequence[Record]
) -> dict[str, float]:
    phases = ("sampling", "learning", "evaluating")
    if len(records) > 1:
        return {phase: rounds * fmean(r.seconds.get(phase, 0.0) for r in records[1:]) for phase in phases}
    sample, score = each
    learned = 2 * config.learner.options.get("steps", 0) * config.learner.options.get("batch", 0)
    evaluations = rounds / config.evaluation.every + 1
    return {
        "sampling": rounds * _responses(config, parts) * sample,
        "learning": rounds * learned * score * _BACKWARD,
        "evaluating": evaluations * config.evaluation.prompts * (sample + 2 * score),
    }


def _purchases(
    config: RunConfig, oracles: Answering, queries: Sequence[Query], before: Past, budget: int
) -> list[Purchase]:
    found = [_purchase("training", oracles.training, queries, budget, config.money, before)]
    if oracles.evaluation is not None and config.evaluation.labels:
        labels, money = config.evaluation.labels, config.evaluation.money
        found.append(_purchase("evaluation", oracles.evaluation, queries, labels, money, before))
    if oracles.consistency is not None and config.consistency is not None:
        share = ceil(config.consistency.share * budget)
        labels = min(share, config.consistency.labels or share)
        found.append(_purchase("consistency", oracles.consistency, queries, labels, config.consistency.money, before))
    return found


def _purchase(
    account: Account, oracle: Oracle, queries: Sequence[Query], labels: int, money: float | None, before: Past
) -> Purchase:
    spent = before.spent[account]
    left = max(0, labels - spent.labels)
    each = max((oracle.bound(query) for query in queries), default=0.0)
    most = left * each if money is None else min(left * each, max(0.0, money - spent.money))
    return Purchase(account, left, each, most)


def _sent(config: RunConfig, oracles: Answering, run: RunDirectory) -> dict[str, str]:
    """Who is handed what."""
    named = {"training": oracles.training, "evaluation": oracles.evaluation, "consistency": oracles.consistency}
    roles: dict[str, list[str]] = {}
    what: dict[str, str] = {}
    for role, oracle in named.items():
        if oracle is not None:
            name = oracle.name
            roles.setdefault(name, []).append(role)
            what[name] = oracle.sends() if isinstance(oracle, Sending) else "nothing leaves boldly"
    found = {f"{name} ({', '.join(roles[name])})": sent for name, sent in what.items()}
    for tracker in config.report_to:
        found[tracker] = "the configuration and every metric, no prompts and no responses"
    return found | {"ledger": config.ledger or str(run.ledger)}


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())

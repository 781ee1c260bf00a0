"""A plan as people read it."""

from dataclasses import asdict
from typing import Any

from boldly.report import numbers
from boldly.runner.plan import Plan, Purchase

_NAMES = {"training": "training", "evaluation": "held-out", "consistency": "checks"}


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan as one object."""
    return asdict(plan) | {"run": str(plan.run), "money": money(plan)}


def money(plan: Plan) -> float:
    """The most that everything may cost."""
    return sum(purchase.most or 0.0 for purchase in plan.purchases)


def as_text(plan: Plan) -> str:
    """The plan, a line for each thing that has a price or leaves the machine."""
    kept = f", {plan.kept} labels kept" if plan.kept else ", new"
    rows = [("plan", f"{plan.run} (recipe {plan.recipe}{kept})")]
    rows += [(_NAMES[purchase.account], _bought(purchase)) for purchase in plan.purchases]
    rows.append(("money", f"{numbers.money(money(plan))} at most"))
    total = sum(plan.seconds.values())
    parts = ", ".join(f"{phase} {_time(seconds)}" for phase, seconds in plan.seconds.items() if seconds)
    rows.append(("rounds", f"{plan.rounds}, sampling {plan.responses:,} responses"))
    rows.append(("time", f"about {_time(total)} ({parts}; {plan.measured}), and what the oracle takes"))
    rows.append(("memory", _memory(plan)))
    rows.append(("disk", f"about {plan.disk / 1e6:,.0f} MB, {plan.free / 1e9:,.0f} GB are free"))
    rows += [("sent", f"{to}: {what}") for to, what in plan.sent.items()]
    return "\n".join(f"{name:<10}{value}" for name, value in rows)


def _memory(plan: Plan) -> str:
    fit = plan.memory
    if fit is None:
        return "not known for this kind of model; batches are halved where it runs out"
    found, how = fit.footprint, ", activations computed twice" if fit.checkpointing else ""
    parts = {
        "weights": found.weights,
        "copies": found.frozen,
        "AdamW": found.optimiser,
        "gradients": found.gradients,
        "micro-batch": found.micro_batch,
        "sampling": max(found.sampling, found.scoring),
        **({"writing": found.writing} if found.writing else {}),
        **({"vLLM, beside what it needs to compute": found.engine} if found.engine else {}),
        **({"libraries": fit.beside} if fit.beside else {}),
    }
    shares = ", ".join(f"{name} {_bytes(size)}" for name, size in parts.items())
    return (
        f"about {_bytes(fit.process)} at most, {_bytes(fit.room)} can be had ({shares}); micro-batches of "
        f"{fit.train_tokens:,} tokens{how}, sampling in {fit.sample_tokens:,}"
    )


def _bytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size < 1e10 else f"{size / 1e9:,.1f} GB"


def _bought(purchase: Purchase) -> str:
    if not purchase.each:
        return f"{purchase.labels} labels, free of charge"
    return (
        f"{purchase.labels} labels at {purchase.each:g} at most, together {numbers.money(purchase.most or 0.0)} at most"
    )


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

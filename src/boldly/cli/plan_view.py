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
    rows.append(("disk", f"about {plan.disk / 1e6:,.0f} MB, {plan.free / 1e9:,.0f} GB are free"))
    rows += [("sent", f"{to}: {what}") for to, what in plan.sent.items()]
    return "\n".join(f"{name:<10}{value}" for name, value in rows)


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

"""The signature of a run that nobody judged: no number says whether one of its iterates is better than another."""

from collections.abc import Mapping, Sequence
from typing import Any

from boldly.progress import Record
from boldly.report.diagnosis.finding import Finding, evaluated, scored

_BOUGHT = "{labels: 200}"
_ELSEWHERE = "{labels: 200, oracle: {name: people}}"


def unmeasured(records: Sequence[Record], config: Mapping[str, Any], *, ended: bool) -> Finding | None:
    """Iterates were evaluated, none has a reward or a win rate, and under this configuration none will get one."""
    points = evaluated(records)
    settings = config.get("evaluation") or {}
    if not points or scored(records) or (settings.get("labels") and not ended):
        return None
    why, line = reason(config)
    count = f"{len(points)} evaluation{'s' if len(points) > 1 else ''}"
    return Finding(
        "nothing measured",
        "serious",
        "No number says whether the model became better",
        f"{count}, and not one reward or win rate: {why}. So the iterate that is kept is the newest, whether "
        "or not it is the best.",
        f"Write `{line}`: held-out answers are then compared with the base model's, beside the budget, and the iterate "
        "that wins most is kept. Until then only the answers themselves can tell: read them below.",
        ("evaluation.labels", "evaluation.oracle"),
    )


def reason(config: Mapping[str, Any]) -> tuple[str, str]:
    """Why a run with this configuration measured neither reward nor win rate, and the line that mends it."""
    settings, oracle = config.get("evaluation") or {}, config.get("oracle") or {}
    if oracle.get("name") == "recorded" and not settings.get("oracle"):
        return "recorded labels say nothing of new answers, and nobody else was asked", f"evaluation: {_ELSEWHERE}"
    if settings.get("labels"):
        return "whoever was asked to compare held-out answers judged none of them", f"evaluation: {_ELSEWHERE}"
    return "the oracle gives no free reward, and nobody was asked to compare held-out answers", f"evaluation: {_BOUGHT}"

"""What a run came to, in plain words."""

from boldly.progress import Evaluation, Interval, Record
from boldly.report.blocks import KeyFigure
from boldly.report.data import RunData
from boldly.report.diagnosis import reason, unmeasured
from boldly.report.diagnosis.finding import best, evaluated, scored
from boldly.report.numbers import NONE, count, money, number, percent, span


def kept(run: RunData) -> Record | None:
    """The record of the iterate that the run returned, or would return if it ended now."""
    points = scored(run.records)
    number_of_best = (run.result or {}).get("best")
    named = [record for record in run.records if record.iterate == number_of_best and record.evaluation is not None]
    if named:
        return named[0]
    return best(points).record if points else None


def headline(run: RunData) -> str:
    """One sentence: what the labels did to the number that was to rise."""
    bought = _labels(run.labels)
    points, record = scored(run.records), kept(run)
    if not evaluated(run.records):
        return f"{bought} bought so far; no held-out evaluation has been made yet."
    if record is None or record.evaluation is None or not points:
        return _unmeasured(run, bought)
    evaluation, labels = record.evaluation, _labels(record.labels)
    more = f"; {count(run.labels)} were bought in all" if run.labels > record.labels else ""
    if evaluation.reward is None:
        if evaluation.win_rate is None:
            return f"{bought} found nothing better than the base model: no iterate won most of its comparisons with it."
        return _won(labels, evaluation.win_rate, more)
    start = points[0].score.value
    if not run.labels:
        return f"No label was bought; the base model's mean held-out reward is {number(start)}."
    if record.iterate == points[0].record.iterate:
        return f"{bought} found nothing better than the base model, whose mean held-out reward is {number(start)}."
    words = f"from {number(start)} to {number(evaluation.reward.value)}"
    if evaluation.gain is not None and evaluation.gain.low <= 0:
        return f"{labels} moved the mean held-out reward {words}, too little to tell from chance{more}."
    return f"{labels} took the mean held-out reward {words}{more}."


def standfirst(run: RunData) -> str:
    """What stands behind the headline: how sure it is, and what flatters it."""
    record = kept(run)
    if unmeasured(run.records, run.config, ended=run.result is not None):
        why, line = reason(run.config)
        said = [
            f"There is no measure because {why}, so the iterate that is kept is the newest. With `{line}` held-out "
            "answers are compared with the base model's."
        ]
    elif record is None or record.evaluation is None:
        return "Evaluations appear here as iterates are kept."
    else:
        said = _behind(run, record.evaluation, moved=record.iterate > 0)
    if run.left:
        said.insert(0, f"The run ended with {_labels(run.left)} of its budget not bought; see below why.")
    if run.result is None:
        said.insert(0, "The run has not ended; this is what it has come to so far.")
    return " ".join(said)


def _behind(run: RunData, evaluation: Evaluation, *, moved: bool) -> list[str]:
    """What stands behind the evaluation of the iterate that was kept, `moved` where that is not the base."""
    points, said = scored(run.records), list[str]()
    if evaluation.gain is not None and moved:
        gain = evaluation.gain
        said.append(
            f"The gain over the base model on the same {count(gain.n)} held-out prompts is {number(gain.value)}, "
            f"with a 95% interval from {number(gain.low)} to {number(gain.high)}."
        )
    if evaluation.reward is not None and evaluation.win_rate is not None and moved:
        said.append(f"Its answers beat the base model's in {percent(evaluation.win_rate.value)} of comparisons.")
    if len(points) > 2 and moved:
        said.append(
            f"It is the best of {len(points)} iterates judged on the same prompts, which flatters it a little; a "
            "fresh set of prompts would be the stricter test."
        )
    return said


def key_figures(run: RunData) -> list[KeyFigure]:
    """The few numbers at the top."""
    record, budget = kept(run), run.setting("budget")
    of = f"of {count(budget)} in the budget" if isinstance(budget, int) else "for training"
    figures = [KeyFigure("Labels", count(run.labels), f"{of}{_not_bought(run)}")]
    if record is None or record.evaluation is None:
        return figures
    evaluation = record.evaluation
    if evaluation.reward is not None:
        start = scored(run.records)[0].score
        ends = f"{number(evaluation.reward.low)} to {number(evaluation.reward.high)}"
        note = f"{ends}; base model {number(start.value)}"
        figures.append(KeyFigure("Mean reward", number(evaluation.reward.value), note))
    figures += [
        KeyFigure("Win rate", *_with_range(evaluation.win_rate)),
        KeyFigure("Distance (KL)", f"{number(evaluation.kl_policy.value)} nats", "from the base model"),
        KeyFigure("Cut or unfinished", percent(evaluation.truncated), "of the held-out answers"),
        KeyFigure("Model kept", *_kept(record)),
    ]
    paid = run.books.money
    return [*figures, KeyFigure("Paid", money(paid), "in the currency of its prices")] if paid else figures


def _not_bought(run: RunData) -> str:
    """How many of the labels came without being bought."""
    kinds = ((run.training.recorded, "reused"), (run.training.self_made, "self-made"))
    return "".join(f"; {count(labels)} {word}" for labels, word in kinds if labels)


def _kept(record: Record) -> tuple[str, str]:
    if not record.iterate:
        return "the base", "no iterate did better"
    return f"iterate {record.iterate}", f"after {_labels(record.labels)}"


def _with_range(interval: Interval | None) -> tuple[str, str]:
    if interval is None:
        return NONE, "not measured"
    return percent(interval.value), f"against the base; {percent(interval.low)} to {percent(interval.high)}"


def _unmeasured(run: RunData, bought: str) -> str:
    if run.result is not None:
        return f"{bought} bought, and no reward or win rate was measured."
    if unmeasured(run.records, run.config, ended=False):
        return f"{bought} bought so far, and no reward or win rate is measured."
    return f"{bought} bought so far; no iterate has been compared with the base model yet."


def _won(labels: str, rate: Interval, more: str) -> str:
    if rate.low > 0.5:
        share = percent(rate.value)
        return f"{labels} made a model whose answers beat the base model's in {share} of comparisons{more}."
    share = span(rate, percent)
    return f"After {labels} the answers win {share} of comparisons with the base model, no better than it yet{more}."


def _labels(labels: int) -> str:
    return f"{count(labels)} label{'' if labels == 1 else 's'}"

"""What a run came to, in plain words."""

from boldly.progress import Interval, Record
from boldly.report.blocks import KeyFigure
from boldly.report.data import RunData
from boldly.report.diagnosis.finding import best, scored
from boldly.report.numbers import NONE, count, number, percent, span


def kept(run: RunData) -> Record | None:
    """The record of the iterate that the run returned, or would return if it ended now."""
    points = scored(run.records)
    number_of_best = (run.result or {}).get("best")
    named = [record for record in run.records if record.iterate == number_of_best and record.evaluation is not None]
    if named:
        return named[0]
    return best(points).record if points else None


def bought_labels(run: RunData) -> int:
    return max([run.training.labels, *(record.labels for record in run.records)])


def headline(run: RunData) -> str:
    """One sentence: what the labels did to the number that was to rise."""
    labels = _labels(bought_labels(run))
    points, record = scored(run.records), kept(run)
    if record is None or record.evaluation is None or not points:
        return f"{labels} bought so far; no held-out evaluation has been made yet."
    evaluation = record.evaluation
    if evaluation.reward is None:
        assert evaluation.win_rate is not None
        return _won(labels, evaluation.win_rate)
    start = points[0].score.value
    if record.iterate == points[0].record.iterate:
        return f"{labels} found nothing better than the base model, whose mean held-out reward is {number(start)}."
    words = f"from {number(start)} to {number(evaluation.reward.value)}"
    if evaluation.gain is not None and evaluation.gain.low <= 0:
        return f"{labels} moved the mean held-out reward {words}: too little to tell from chance."
    return f"{labels} took the mean held-out reward {words}."


def standfirst(run: RunData) -> str:
    """What stands behind the headline: how sure it is, and what flatters it."""
    record, points = kept(run), scored(run.records)
    if record is None or record.evaluation is None:
        return "Evaluations appear here as iterates are kept."
    evaluation, said = record.evaluation, []
    if evaluation.gain is not None and record.iterate != points[0].record.iterate:
        gain = evaluation.gain
        said.append(
            f"The gain over the base model on the same {count(gain.n)} held-out prompts is {number(gain.value)}, "
            f"with a 95% interval from {number(gain.low)} to {number(gain.high)}."
        )
    if evaluation.reward is not None and evaluation.win_rate is not None:
        said.append(f"Its answers beat the base model's in {percent(evaluation.win_rate.value)} of comparisons.")
    if len(points) > 2:
        said.append(
            f"It is the best of {len(points)} iterates judged on the same prompts, which flatters it a little; a "
            "fresh set of prompts would be the stricter test."
        )
    if run.result is None:
        said.insert(0, "The run has not ended; this is what it has come to so far.")
    return " ".join(said)


def key_figures(run: RunData) -> list[KeyFigure]:
    """The few numbers at the top."""
    record, budget = kept(run), run.setting("budget")
    spent = count(bought_labels(run))
    of = f"of {count(budget)} in the budget" if isinstance(budget, int) else "bought for training"
    figures = [KeyFigure("Labels", spent, of)]
    if record is None or record.evaluation is None:
        return figures
    evaluation = record.evaluation
    if evaluation.reward is not None:
        start = scored(run.records)[0].score
        figures.append(KeyFigure("Mean reward", number(evaluation.reward.value), f"base model {number(start.value)}"))
    figures += [
        KeyFigure("Win rate", *_with_range(evaluation.win_rate)),
        KeyFigure("Distance (KL)", f"{number(evaluation.kl_policy.value)} nats", "from the base model"),
        KeyFigure("Cut or unfinished", percent(evaluation.truncated), "of the held-out answers"),
        KeyFigure("Model kept", f"iterate {record.iterate}", f"after {_labels(record.labels)}"),
    ]
    money = run.training.money + run.evaluation.money
    return [*figures, KeyFigure("Paid", number(money), "in the oracle's currency")] if money else figures


def _with_range(interval: Interval | None) -> tuple[str, str]:
    if interval is None:
        return NONE, "not measured"
    return percent(interval.value), f"against the base; {percent(interval.low)} to {percent(interval.high)}"


def _won(labels: str, rate: Interval) -> str:
    if rate.low > 0.5:
        return f"{labels} made a model whose answers beat the base model's in {percent(rate.value)} of comparisons."
    share = span(rate, percent)
    return f"After {labels} the answers win {share} of comparisons with the base model: no better than it yet."


def _labels(labels: int) -> str:
    return f"{count(labels)} label{'' if labels == 1 else 's'}"

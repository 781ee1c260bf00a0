"""What the labels of a comparison say of its two models."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import Any

from boldly.metrics.agreement import apart, krippendorff_alpha
from boldly.metrics.answers import side_of
from boldly.metrics.anytime import anytime_interval
from boldly.metrics.intervals import mean_interval, win_rate
from boldly.metrics.length_controlled import LengthControlled, length_controlled
from boldly.progress import Interval
from boldly.types import BothBad, Label, Response, preference_of


@dataclass(frozen=True, slots=True)
class Together:
    """How far people who judged the same pairs said the same: a share, where a tie agrees half with either side, and
    Krippendorff's alpha, which has chance taken off it (None where there is no room for more)."""

    share: Interval
    alpha: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Model A beside model B, each with one answer to the same prompts.

    Of `pairs` that were put up `judged` have a label: A was better in `won` of them, B in `lost`, neither in `ties`.
    `both_bad` and `abstained` say nothing of the two and are in none of the rates. Of prompts that both answered with
    the same text nobody is asked; the `identical` among the prompts reached so far count as ties in every rate.

    `win_rate` is A's, a tie counting half. `anytime` is the same with an interval that holds however often somebody
    looks and whenever they stop. `controlled` is what the win rate would be if the answers were equally long.
    `longer_won` is how often the longer of two answers won; lengths are in characters. All are None where nothing tells
    them yet.
    """

    pairs: int
    judged: int
    won: int
    lost: int
    ties: int
    both_bad: int
    abstained: int
    identical: int
    win_rate: Interval | None
    anytime: Interval | None
    controlled: LengthControlled | None
    longer_won: Interval | None
    length_a: Interval | None
    length_b: Interval | None
    agreement: Together | None

    @property
    def left(self) -> int:
        """Pairs that nobody has judged."""
        return self.pairs - self.judged


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A prompt as the rates see it: how far A won, and how many characters longer its answer is."""

    won: float
    longer_by: int


def compared(labels: Iterable[Label], a: Sequence[Response], b: Sequence[Response], *, horizon: int) -> Comparison:
    """The figures of a comparison, from its labels and the answers of A and B in the order of the lot.

    Labels of queries behind the answers, and those that were withdrawn, are left out. A prompt that both answered with
    the same text joins the rates when a pair behind it in the lot has been judged, or all have been: so the rates are
    of the prompts reached so far, which are a random sample of all. `horizon` is the number of pairs that was planned
    before the first was judged (see `anytime_interval`).
    """
    same = [place for place, (one, other) in enumerate(zip(a, b, strict=True)) if one.text == other.text]
    told = sorted((label for label in labels if _counts(label, len(a))), key=lambda label: label.sequence)
    pairs = len(a) - len(same)
    outcomes, reached = _outcomes(told, same, everything=len(told) == pairs)
    won = [outcome.won for outcome in outcomes]
    kinds = Counter(_kind(label) for label in told)
    return Comparison(
        pairs=pairs,
        judged=len(told),
        won=kinds["won"],
        lost=kinds["lost"],
        ties=kinds["ties"],
        both_bad=kinds["both_bad"],
        abstained=kinds["abstained"],
        identical=reached,
        win_rate=win_rate(won) if won else None,
        anytime=anytime_interval(won, horizon=horizon) if won else None,
        controlled=length_controlled(won, [float(outcome.longer_by) for outcome in outcomes]) if won else None,
        longer_won=_longer_won(outcomes),
        length_a=mean_interval([float(len(one.text)) for one in a]) if a else None,
        length_b=mean_interval([float(len(one.text)) for one in b]) if b else None,
        agreement=_together(told),
    )


def left_to_judge(labels: Iterable[Label], a: Sequence[Response], b: Sequence[Response]) -> int:
    """How many of the pairs that differ have no label yet."""
    pairs = sum(one.text != other.text for one, other in zip(a, b, strict=True))
    return pairs - sum(_counts(label, len(a)) for label in labels)


def won_by_a(label: Label) -> float | None:
    """The probability that model A's answer is the better one, None where the label says nothing of the two."""
    p = preference_of(label.verdict)
    return p if p is None or side_of(label.query.a.origin) == "a" else 1.0 - p


def _counts(label: Label, prompts: int) -> bool:
    return label.query.place < prompts and not label.facts.get("withdrawn")


def _kind(label: Label) -> str:
    p = won_by_a(label)
    if p is None:
        return "both_bad" if isinstance(label.verdict, BothBad) else "abstained"
    return "ties" if p == 0.5 else "won" if p > 0.5 else "lost"


def _outcomes(told: Sequence[Label], same: Sequence[int], *, everything: bool) -> tuple[list[_Outcome], int]:
    """The outcomes in the order in which they came, and how many of them are of identical answers."""
    outcomes: list[_Outcome] = []
    reached = 0
    for label in told:
        while reached < len(same) and same[reached] < label.query.place:
            outcomes.append(_Outcome(0.5, 0))
            reached += 1
        if (won := won_by_a(label)) is not None:
            outcomes.append(_Outcome(won, _longer_by(label)))
    if everything:
        outcomes += [_Outcome(0.5, 0)] * (len(same) - reached)
        reached = len(same)
    return outcomes, reached


def _longer_by(label: Label) -> int:
    by = len(label.query.a.text) - len(label.query.b.text)
    return by if side_of(label.query.a.origin) == "a" else -by


def _longer_won(outcomes: Iterable[_Outcome]) -> Interval | None:
    longer = [one.won if one.longer_by > 0 else 1.0 - one.won for one in outcomes if one.longer_by]
    return win_rate(longer) if longer else None


def _together(told: Iterable[Label]) -> Together | None:
    """What several people said of the same pairs; each pair counts once, with the mean over its pairs of people."""
    units = [said for label in told if len(said := [*_said(label)]) > 1]
    if not units:
        return None
    shares = [fmean(1.0 - apart(x, y) for x, y in combinations(said, 2)) for said in units]
    return Together(win_rate(shares), krippendorff_alpha(units))


def _said(label: Label) -> Iterator[float]:
    """What each of several people said of a query: 1 for `a`, 0 for `b`, 1/2 for a tie."""
    several: Sequence[Mapping[str, Any]] = label.facts.get("said", ())
    for one in several:
        if one["verdict"] == "tie":
            yield 0.5
        elif (p := one.get("probability")) is not None:
            yield 0.5 if p == 0.5 else float(p > 0.5)

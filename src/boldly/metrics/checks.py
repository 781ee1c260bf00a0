"""What labels say of those who gave them: who agrees with whom, with themselves, with a place and with a length."""

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

from boldly.metrics.agreement import agreement, cohen_kappa, krippendorff_alpha
from boldly.metrics.intervals import win_rate
from boldly.progress import Interval
from boldly.types import Label, Query, preference_of

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two sources on the pairs that both judged; one source twice where `first` is `second`.

    `share` counts a tie against a preference as half (see `boldly.metrics.agreement`); `kappa` has chance taken off it,
    None where there is no room for more than chance.
    """

    first: str
    second: str
    share: Interval
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Rating:
    """What a source said of a pair: 1 where `first` of its two is better, 0 where the other one is, 1/2 for a tie.

    Equal `pair`s are the same two, whichever of them is `first`.
    """

    source: str
    pair: Hashable
    first: Hashable
    leaning: float


@dataclass(frozen=True, slots=True)
class Compared:
    """Who said the same of the same pairs; the fields are as in `Checks`."""

    between: tuple[Agreement, ...] = ()
    within: tuple[Agreement, ...] = ()
    alpha: float | None = None
    raters: int = 0


@dataclass(frozen=True, slots=True)
class Habit:
    """A share of one source's verdicts, with its interval."""

    source: str
    share: Interval


@dataclass(frozen=True, slots=True)
class Checks:
    """What is known of how far labels can be relied on. All tuples are ordered, those with the most pairs first.

    `between` compares sources on the same pair, `within` a source with itself on one that it judged twice; `alpha` is
    Krippendorff's over all of `raters` sources, None with fewer than two. `flipped` is the share of verdicts whose two
    looks, with the responses shown either way round, contradicted each other; `canaries` is the share of planted
    responses, which should never win, that won. `first_shown` is the share of verdicts
    for the response that was shown first: 1/2 without a position bias. `longest` is the share of verdicts that a rule
    would share that always chooses the longer text. A tie counts half in all of them.
    """

    between: tuple[Agreement, ...] = ()
    within: tuple[Agreement, ...] = ()
    alpha: float | None = None
    raters: int = 0
    flipped: tuple[Habit, ...] = ()
    canaries: tuple[Habit, ...] = ()
    first_shown: tuple[Habit, ...] = ()
    longest: tuple[Habit, ...] = ()


def checks(training: Sequence[Label], consistency: Sequence[Label]) -> Checks:
    """What the labels of the two accounts say of their sources.

    Two labels are of one pair where prompt and both responses are the same, either way round. A preference counts as
    the side it leans to, one of 1/2 as a tie; both-bad verdicts and abstentions say nothing of the two and are left
    out, as is what several people said together: they are no source of its own. Of several labels that a source gave to
    a pair the first stands for it beside others, and the first two are compared for its consistency, so that a pair
    counts once; the intervals hold where pairs are independent.
    """
    said = (label for label in (*training, *consistency) if label.facts.get("annotators", 1) == 1)
    labels = [label for label in said if _leaning(label) is not None]
    found = compared(_ratings(labels))
    once = list({(one.source, _pair(one.query)): one for one in reversed(labels)}.values())
    return Checks(
        between=found.between,
        within=found.within,
        alpha=found.alpha,
        raters=found.raters,
        flipped=_habits(
            _groups((one.source, float(said)) for one in once if (said := one.facts.get("flipped")) is not None)
        ),
        canaries=_habits(_groups(_won_by_canaries(labels))),
        first_shown=_first_shown(labels),
        longest=_habits(_groups(_for_longer(once))),
    )


def compared(ratings: Iterable[Rating]) -> Compared:
    """How far sources agree with one another, and each with itself, on pairs that were judged more than once.

    Of several ratings that a source gave to a pair the first stands for it beside others, and the first two are
    compared for its consistency, so that a pair counts once; the intervals hold where pairs are independent.
    """
    pairs = _pairs(ratings)
    between = _groups(
        ((one, other), (said[one][0], said[other][0])) for said in pairs for one, other in combinations(sorted(said), 2)
    )
    within = _groups(((one, one), (said[one][0], said[one][1])) for said in pairs for one in said if len(said[one]) > 1)
    raters = {source for said in pairs if len(said) > 1 for source in said}
    return Compared(
        between=_agreements(between),
        within=_agreements(within),
        alpha=krippendorff_alpha([[own[0] for own in said.values()] for said in pairs]) if raters else None,
        raters=len(raters),
    )


def first_chosen(a_first: Sequence[float], b_first: Sequence[float]) -> Interval | None:
    """The share of verdicts for what was shown first, from the leanings to `a` where `a` was first, and where `b` was.

    (share for `a` shown first + share for `b` shown first) / 2, in which what makes `a` better than `b` cancels, as
    long as the order was chosen without regard to the pair. None where nothing was seen in one of the orders.
    """
    if not a_first or not b_first:
        return None
    return _mean(win_rate(a_first), win_rate([1.0 - leaning for leaning in b_first]))


def _leaning(label: Label) -> float | None:
    """1 for `a`, 0 for `b`, 1/2 for a tie, None for a verdict that says nothing of the two."""
    p = preference_of(label.verdict)
    return p if p is None else 0.5 if p == 0.5 else float(p > 0.5)


def _pair(query: Query) -> tuple[str, frozenset[str]]:
    """What two queries about the same responses to the same prompt have in common."""
    return query.prompt.id, frozenset((query.a.id, query.b.id))


def _ratings(labels: Iterable[Label]) -> Iterator[Rating]:
    for label in labels:
        query, leaning = label.query, _leaning(label)
        if leaning is not None and query.a.id != query.b.id:
            yield Rating(label.source, _pair(query), query.a.id, leaning)


def _pairs(ratings: Iterable[Rating]) -> list[Mapping[str, list[float]]]:
    """By pair, what each source said of it, all as its first rating puts the two."""
    found: dict[Hashable, tuple[Hashable, dict[str, list[float]]]] = {}
    for one in ratings:
        first, said = found.setdefault(one.pair, (one.first, {}))
        said.setdefault(one.source, []).append(one.leaning if one.first == first else 1.0 - one.leaning)
    return [said for _, said in found.values()]


def _groups(entries: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    found: dict[K, list[V]] = {}
    for key, value in entries:
        found.setdefault(key, []).append(value)
    return found


def _agreements(said: Mapping[tuple[str, str], Sequence[tuple[float, float]]]) -> tuple[Agreement, ...]:
    made = []
    for (one, other), pairs in said.items():
        first, second = [x for x, _ in pairs], [y for _, y in pairs]
        made.append(Agreement(one, other, agreement(first, second), cohen_kappa(first, second)))
    return tuple(sorted(made, key=lambda found: (-found.share.n, found.first, found.second)))


def _habits(outcomes: Mapping[str, Sequence[float]]) -> tuple[Habit, ...]:
    return _ordered(Habit(source, win_rate(values)) for source, values in outcomes.items())


def _ordered(habits: Iterable[Habit]) -> tuple[Habit, ...]:
    return tuple(sorted(habits, key=lambda habit: (-habit.share.n, habit.source)))


def _won_by_canaries(labels: Iterable[Label]) -> Iterator[tuple[str, float]]:
    for label in labels:
        canary = label.facts.get("canary")
        if isinstance(canary, Mapping) and isinstance(won := canary.get("won"), bool):
            yield label.source, float(won)


def _for_longer(labels: Iterable[Label]) -> Iterator[tuple[str, float]]:
    """How far each label went to the longer of its texts, where one is longer."""
    for label in labels:
        leaning, a, b = _leaning(label), len(label.query.a.text), len(label.query.b.text)
        if leaning is not None and a != b:
            yield label.source, leaning if a > b else 1.0 - leaning


def _first_shown(labels: Sequence[Label]) -> tuple[Habit, ...]:
    """How often each source chose what it saw first.

    A look at each order of a pair settles it pair by pair. A source that saw each pair in one order alone has to have
    seen some in either (see `first_chosen`).
    """
    looks = _groups((one.source, (one.facts["p_ab"] + 1.0 - one.facts["p_ba"]) / 2) for one in labels if _looks(one))
    orders = _groups(
        ((one.source, str(one.facts.get("order"))), leaning)
        for one in labels
        if not _looks(one) and (leaning := _leaning(one)) is not None
    )
    found = [Habit(source, win_rate(outcomes)) for source, outcomes in looks.items()]
    for source in {source for source, _ in orders} - looks.keys():
        share = first_chosen(orders.get((source, "ab"), ()), orders.get((source, "ba"), ()))
        if share is not None:
            found.append(Habit(source, share))
    return _ordered(found)


def _looks(label: Label) -> bool:
    """Whether what it said in either order is kept: the probability of `a`, shown first and shown second."""
    return all(isinstance(label.facts.get(name), int | float) for name in ("p_ab", "p_ba"))


def _mean(one: Interval, other: Interval) -> Interval:
    """The mean of two independent estimates, its interval by MOVER (see `boldly.metrics.difference`)."""
    value = (one.value + other.value) / 2
    low = value - math.hypot(one.value - one.low, other.value - other.low) / 2
    high = value + math.hypot(one.high - one.value, other.high - other.value) / 2
    return Interval(value, low, high, one.n + other.n)

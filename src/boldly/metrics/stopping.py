"""When to stop buying labels: a hint that may be looked at after every label, and acted on at any of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from boldly.ledger.protocol import RoundRecord
from boldly.metrics.anytime import anytime_interval
from boldly.metrics.intervals import LEVEL
from boldly.progress import Interval
from boldly.types import Label, preference_of

FIRST = 32
"""Labels of the first window. Each window is over when there are twice as many labels as at its beginning."""

LITTLE = 0.1
"""A gain in win rate, from one window to the next, that is little: stopping may miss as much."""

Finding = Literal["nothing", "better", "worse", "no gain", "unclear"]


@dataclass(frozen=True, slots=True)
class Hint:
    """What the newest labels say of going on, in words, with the intervals it is taken from.

    `newest` is the policies' win rate over their reference among the newest labels, `gain` how much more that is than
    among those before, None where there are none. `labels` are all that compare the two.
    """

    finding: Finding
    words: str
    labels: int = 0
    newest: Interval | None = None
    gain: Interval | None = None


def wins(labels: Sequence[Label], rounds: Sequence[RoundRecord]) -> tuple[float, ...]:
    """How far each label went to the response of its round's policy, where the other one is of the round's reference.

    In the order of purchase: 1 won, 0 lost, 1/2 a tie, else the probability. Left out are labels whose two responses
    have one origin or a third one, and verdicts that say nothing of the two. In a round whose policy is its reference
    there is nothing to win.
    """
    began: Mapping[int, RoundRecord] = {one.number: one for one in rounds}
    found: list[float] = []
    for label in labels:
        p, round = preference_of(label.verdict), began.get(label.query.round)
        if p is None or round is None or round.policy == round.reference:
            continue
        origins = (label.query.a.origin, label.query.b.origin)
        if origins == (round.policy, round.reference):
            found.append(p)
        elif origins == (round.reference, round.policy):
            found.append(1.0 - p)
    return tuple(found)


def hint(wins: Sequence[float], *, base: bool = True) -> Hint:
    """What `wins` (see there) say of going on; `base` tells whether the reference was the base model in every round.

    The wins are cut into windows at the 32nd, 64th, 128th, ... of them; the newest window is the last one that is at
    least half full. Window k has the interval of `anytime_interval` with error rate 0.05 / (k (k+1)), for the horizon
    of its length. These rates sum to 0.05, so with 95% all intervals of all windows hold at every moment at once, and
    so does every difference of two of them, as its ends are made of theirs. Whoever looks after each label, and stops
    when they like what they see, is misled in at most 1 run of 20.

    "better" and "worse": the newest window's interval lies above, or below, 1/2. "no gain": that of its difference to
    the window before holds 0 and has its high end at `LITTLE` or below. Else it is "unclear".

    What that is true of:

    - Of the pairs that were put up. A selector that looks for pairs of some kind (where the policy is sure, or is not)
      makes them another population than held-out prompts are; and they are prompts that are trained on. The win rate
      on held-out prompts is `Evaluation.win_rate`.
    - Training on the labels of all rounds, again and again, does no harm: a round's responses were drawn by a policy
      that had learned from earlier rounds alone, so that no label judges a policy that has seen it.
    - Within a window each label has to have the same mean given those before it: prompts in random order, answered in
      an order that owes nothing to who wins. Skipped and withdrawn pairs are left out, which is fair only where they
      are skipped for other reasons than that the policy is losing. Whoever labels and looks at the hint must not let it
      guide their labels or their corrections.
    - A window spans rounds, and a policy that learns has no one win rate. "better" then says that the best of the
      window's policies beats the reference, "worse" that the worst of them loses to it, and the intervals are about
      right for the average of them (tested by simulation, not proven).
    - No gain so far is no proof that none would come: a method may need labels before it moves.
    """
    windows = _windows(len(wins))
    other = "the base model" if base else "the reference of its round"
    if not windows:
        return Hint("nothing", _too_few(len(wins), other), len(wins))
    *_, now = found = [_measured(wins, window) for window in windows[-2:]]
    gain = _difference(now, found[0]) if len(found) > 1 else None
    rate = f"it wins {_share(now)} of {_pairs(windows[-1], len(wins))} against {other}"
    if gain is not None and gain.low <= 0.0 <= gain.high <= LITTLE:
        more = f"at most {_up(gain.high):.2f} more than of the {found[0].n} before"
        words = (
            f"The last gain can't be told from none: {rate}, {more}. If further labels do no more, stopping here loses "
            "little."
        )
        return Hint("no gain", words, len(wins), now, gain)
    if now.low > 0.5:
        return Hint("better", f"Better than {other}, whenever you look: {rate}.", len(wins), now, gain)
    if now.high < 0.5:
        words = f"Worse than {other}, whenever you look: {rate}. Look at the report before you buy more."
        return Hint("worse", words, len(wins), now, gain)
    return Hint("unclear", f"Not enough to tell yet: {rate}.", len(wins), now, gain)


@dataclass(frozen=True, slots=True)
class _Window:
    """Window `k`, counted from 1: the wins from `start` up to `end`, of which not all need be there."""

    k: int
    start: int
    end: int


def _windows(labels: int) -> list[_Window]:
    """The windows that are at least half full."""
    found: list[_Window] = []
    start, end = 0, FIRST
    while 2 * labels >= start + end:
        found.append(_Window(len(found) + 1, start, end))
        start, end = end, 2 * end
    return found


def _measured(wins: Sequence[float], window: _Window) -> Interval:
    error = (1.0 - LEVEL) / (window.k * (window.k + 1))
    return anytime_interval(wins[window.start : window.end], error=error, horizon=window.end - window.start)


def _difference(now: Interval, before: Interval) -> Interval:
    """Holds wherever both of its intervals do."""
    return Interval(now.value - before.value, now.low - before.high, now.high - before.low, min(now.n, before.n))


def _share(rate: Interval) -> str:
    return f"{rate.value:.2f} [{math.floor(100 * rate.low) / 100:.2f}, {_up(rate.high):.2f}]"


def _up(value: float) -> float:
    """To two digits, up, so that what is written holds too."""
    return math.ceil(100 * value) / 100


def _pairs(window: _Window, labels: int) -> str:
    newest = window.end >= labels
    return f"the newest {labels - window.start} pairs" if newest else f"pairs {window.start + 1} to {window.end}"


def _too_few(labels: int, other: str) -> str:
    if not labels:
        return f"Nothing to tell yet: no label sets a trained policy beside {other}."
    return f"Not enough to tell yet: {labels} of {FIRST // 2} labels that set a trained policy beside {other}."

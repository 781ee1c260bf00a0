import math

import numpy as np
import pytest

from boldly.ledger.protocol import RoundRecord
from boldly.metrics.anytime import anytime_interval
from boldly.metrics.stopping import LITTLE, hint, wins
from boldly.types import Abstention, BothBad, Label, Preference, Prompt, Query, Response, Tie, Verdict

ROUNDS = [RoundRecord(0, "base", "base", ""), RoundRecord(1, "one", "base", ""), RoundRecord(2, "two", "base", "")]


def response(origin: str, text: str = "") -> Response:
    return Response(text or origin, (1,), origin, -1.0, -1.0)


def label(t: int, a: str, b: str, verdict: Verdict) -> Label:
    return Label(0, Query(Prompt("p"), response(a), response(b), t, 0), verdict, "people:ann", 0.0, "")


def coins(chances: "list[float] | np.ndarray", seed: int) -> list[float]:
    return (np.random.default_rng(seed).random(len(chances)) < np.asarray(chances)).astype(float).tolist()


def test_wins_are_of_the_rounds_policy_against_its_reference():
    said = [
        (label(0, "base", "base", Preference(1.0)), None),  # the policy is the reference
        (label(1, "one", "base", Preference(1.0)), 1.0),
        (label(1, "base", "one", Preference(1.0)), 0.0),
        (label(1, "base", "one", Preference(0.25)), 0.75),
        (label(2, "two", "base", Tie()), 0.5),
        (label(2, "one", "base", Preference(1.0)), None),  # drawn by an older policy
        (label(2, "two", "two", Preference(1.0)), None),
        (label(2, "two", "base", BothBad()), None),
        (label(2, "two", "base", Abstention()), None),
        (label(3, "two", "base", Preference(1.0)), None),  # a round that was never begun
    ]
    assert wins([one for one, _ in said], ROUNDS) == tuple(x for _, x in said if x is not None)


def test_the_first_words_come_after_half_of_the_first_window():
    assert hint([]).finding == "nothing"
    few = hint([1.0] * 15)
    assert few.finding == "nothing"
    assert "15 of 16" in few.words
    assert hint([1.0] * 16).finding == "better"


def test_the_newest_window_is_the_last_that_is_half_full():
    values = coins([0.6] * 200, 1)
    for n, start, end, k in ((16, 0, 32, 1), (47, 0, 32, 1), (48, 32, 64, 2), (95, 32, 64, 2), (96, 64, 128, 3)):
        found = hint(values[:n])
        window = values[start : min(end, n)]
        assert found.newest == pytest.approx(anytime_interval(window, error=0.05 / (k * (k + 1)), horizon=end - start))
        assert (found.gain is None) == (k == 1)
    assert "of the newest 32 pairs against the base model" in hint(values[:96]).words
    assert "of pairs 33 to 64" in hint(values[:95]).words


def test_it_says_what_it_sees():
    good = hint(coins([0.9] * 64, 3))
    assert good.finding == "better"
    assert good.words.startswith("Better than the base model, whenever you look: it wins 0.9")
    assert hint([0.0] * 40).finding == "worse"
    assert hint([0.5, 1.0, 0.0] * 30).finding == "unclear"
    assert "the reference of its round" in hint([1.0] * 40, base=False).words


def test_no_gain_needs_a_narrow_difference():
    same = [float(i % 40 > 0) for i in range(1024)]
    assert hint(same).finding == "no gain"
    assert "stopping here loses little" in hint(same).words
    found = hint(same[:256])
    assert found.finding == "better"
    assert found.gain is not None
    assert found.gain.high > LITTLE


def test_no_gain_is_not_said_where_there_was_one():
    grown = hint(coins([0.5] * 512 + [0.9] * 512, 0))
    assert grown.finding == "better"
    assert grown.gain is not None
    assert grown.gain.low > 0.0


def test_the_difference_is_made_of_both_intervals():
    values = coins([0.7] * 128, 5)
    found = hint(values)
    before = anytime_interval(values[32:64], error=0.05 / 6, horizon=32)
    assert found.newest is not None
    assert found.gain == (
        pytest.approx(found.newest.value - before.value),
        pytest.approx(found.newest.low - before.high),
        pytest.approx(found.newest.high - before.low),
        32,
    )


def test_what_is_written_holds_too():
    found = hint(coins([0.7] * 128, 5))
    assert found.newest is not None
    low, high = found.words.split("[")[1].split("]")[0].split(", ")
    assert float(low) <= found.newest.low
    assert float(high) >= found.newest.high
    assert math.isclose(float(low), found.newest.low, abs_tol=0.01)


def misled(chance: float, labels: int, seed: int, step: int) -> bool:
    """Whether a policy as good as its reference was ever called better or worse, by someone who looks all the time."""
    values = coins([chance] * labels, seed)
    return any(hint(values[:n]).finding in ("better", "worse") for n in range(16, labels + 1, step))


def test_looking_all_the_time_misleads_in_few_runs():
    """Of 40 runs of coins, looked at every 16 labels, at most 5% may ever be called better or worse.

    With a rate of 5% more than 6 of 40 would come about in fewer than 1 of 100.
    """
    assert sum(misled(0.5, 128, seed, 16) for seed in range(40)) <= 6


@pytest.mark.slow
def test_looking_ever_so_often_misleads_in_few_runs():
    """Of 32 runs of 256 coins, looked at after every fourth label from the 16th on, at most 5% may ever be.

    With a rate of 5% more than 6 of 32 would come about in fewer than 1 of 1000.
    """
    assert sum(misled(0.5, 256, seed, 4) for seed in range(32)) <= 6


@pytest.mark.parametrize(("begin", "end"), [(0.5, 0.9), (0.9, 0.5), (0.7, 0.7)])
def test_of_policies_that_change_it_tells_the_average(begin: float, end: float):
    """Win rates that move steadily over 512 labels: the intervals of the newest window and of the difference to the
    one before hold the averages of their own policies, at looks every 128 labels, in all but 5% of 40 runs.

    With a true rate of 5% more than 6 of 40 come about in fewer than 1 of 100.
    """
    chances, missed = np.linspace(begin, end, 512), 0
    for seed in range(40):
        values = coins(chances, seed)
        for n in range(128, 513, 128):
            found = hint(values[:n])
            assert found.newest is not None
            assert found.gain is not None
            start = max(2**i for i in range(5, 9) if 2 * n >= 3 * 2**i)
            own, before = (
                chances[start : start + found.newest.n].mean(),
                chances[start // 2 * (start > 32) : start].mean(),
            )
            if not (found.newest.low <= own <= found.newest.high and found.gain.low <= own - before <= found.gain.high):
                missed += 1
                break
    assert missed <= 6

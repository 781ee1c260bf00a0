"""Figures of a comparison against what is known of simulated annotators: a preference, or a weakness for length.

Each simulation is of 120 prompts; a share of them is answered with the same text by both models.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import pytest

from boldly.metrics.anytime import anytime_interval
from boldly.metrics.comparison import Comparison, compared
from boldly.metrics.intervals import win_rate
from boldly.types import Abstention, BothBad, Label, Preference, Prompt, Query, Response, Tie, Verdict

PROMPTS = 120


def response(side: str, place: int, length: int) -> Response:
    text = f"{side} {place} ".ljust(length, "x")
    return Response(text, tuple(text.encode()), f"{side}:model", -1.0, -1.0)


@dataclass(frozen=True)
class Made:
    """A comparison whose pairs all wait: the answers, and the queries with A on either side by lot."""

    a: Sequence[Response]
    b: Sequence[Response]
    queries: Sequence[Query]


def made(rng: random.Random, *, identical: float = 0.2, lengths: Callable[[str], int] = lambda side: 40) -> Made:
    a = [response("a", place, lengths("a")) for place in range(PROMPTS)]
    b = [
        Response(one.text, one.tokens, "b:model", -1.0, -1.0)
        if rng.random() < identical
        else response("b", place, lengths("b"))
        for place, one in enumerate(a)
    ]
    queries = [
        Query(Prompt(f"prompt {place}"), *((one, other) if rng.random() < 0.5 else (other, one)), 0, place)
        for place, (one, other) in enumerate(zip(a, b, strict=True))
        if one.text != other.text
    ]
    return Made(a, b, queries)


def is_a(answer: Response) -> bool:
    return answer.origin.startswith("a:")


def preferring(rng: random.Random, chance: float) -> Callable[[Query], Verdict]:
    """An annotator who likes A's answer better with this probability."""

    def say(query: Query) -> Verdict:
        return Preference(float((rng.random() < chance) == is_a(query.a)))

    return say


def liking_length(rng: random.Random, chance: float) -> Callable[[Query], Verdict]:
    """An annotator who takes the longer answer with this probability, whoever wrote it."""

    def say(query: Query) -> Verdict:
        longer = len(query.a.text) > len(query.b.text)
        return Preference(float((rng.random() < chance) == longer))

    return say


def judged(found: Made, say: Callable[[Query], Verdict], *, first: int = PROMPTS) -> list[Label]:
    return [Label(n, query, say(query), "people:ann", 0.0, "") for n, query in enumerate(found.queries[:first])]


def figures(found: Made, labels: Sequence[Label]) -> Comparison:
    return compared(labels, found.a, found.b, horizon=PROMPTS)


def test_every_label_is_counted_for_its_model_whichever_place_it_had():
    found = made(random.Random(0), identical=0.0)
    said: list[Verdict] = [Tie(), BothBad(), Abstention(), Preference(0.5)]
    said += [Preference(1.0 if is_a(query.a) else 0.0) for query in found.queries[4:]]
    labels = [Label(n, query, v, "x", 0.0, "") for n, (query, v) in enumerate(zip(found.queries, said, strict=True))]
    assert {is_a(query.a) for query in found.queries} == {True, False}
    result = figures(found, labels)
    told = (result.pairs, result.judged, result.won, result.lost, result.ties, result.both_bad, result.abstained)
    assert told == (PROMPTS, PROMPTS, PROMPTS - 4, 0, 2, 1, 1)
    assert result.win_rate == win_rate([0.5, 0.5, *([1.0] * (PROMPTS - 4))])
    assert result.left == 0


def test_identical_answers_are_ties_as_far_as_the_lot_was_judged():
    found = made(random.Random(1), identical=0.3)
    same = [place for place in range(PROMPTS) if found.a[place].text == found.b[place].text]
    labels = judged(found, lambda query: Preference(float(is_a(query.a))), first=40)
    last = labels[-1].query.place
    result = figures(found, labels)
    behind = [place for place in same if place < last]
    assert 0 < len(behind) < len(same)
    assert (result.identical, result.judged, result.left) == (len(behind), 40, PROMPTS - len(same) - 40)
    assert result.win_rate == win_rate([1.0] * 40 + [0.5] * len(behind))
    whole = figures(found, judged(found, lambda query: Preference(float(is_a(query.a)))))
    assert whole.identical == len(same)


def test_nothing_is_known_before_anybody_judges():
    found = made(random.Random(2))
    result = figures(found, [])
    assert (result.judged, result.identical, result.win_rate, result.anytime) == (0, 0, None, None)
    assert (result.controlled, result.longer_won, result.agreement) == (None, None, None)
    assert result.length_a is not None
    assert result.length_a.value == pytest.approx(40)


def test_models_that_say_the_same_tie_without_anybody():
    found = made(random.Random(2), identical=1.0)
    result = figures(found, [])
    assert (result.pairs, result.identical) == (0, PROMPTS)
    assert result.win_rate is not None
    assert result.win_rate.value == 0.5


def test_a_withdrawn_label_is_none():
    found = made(random.Random(3))
    kept, taken = found.queries[:2]
    labels = [
        Label(0, kept, Preference(1.0), "people:ann", 0.0, ""),
        Label(1, taken, Abstention(), "people:ann", 0.0, "", facts={"withdrawn": True}, corrected=1),
    ]
    assert figures(found, labels).judged == 1


def test_labels_behind_fewer_prompts_are_left_out():
    found = made(random.Random(4), identical=0.0)
    labels = judged(found, preferring(random.Random(0), 0.5))
    result = compared(labels, found.a[:50], found.b[:50], horizon=PROMPTS)
    assert (result.pairs, result.judged) == (50, 50)


@pytest.mark.parametrize(
    "chance", [pytest.param(0.5, marks=pytest.mark.slow), 0.7, pytest.param(0.95, marks=pytest.mark.slow)]
)
def test_a_known_preference_lies_in_the_interval(chance: float):
    """The win rate over all prompts is known; 80 intervals of 95% hold it, as Wilson's is too wide for ties.

    A method that covers 95% fails this with probability below 1e-4.
    """
    rng = random.Random(5)
    hits, values = 0, []
    for _ in range(80):
        found = made(rng, identical=0.2)
        result = figures(found, judged(found, preferring(rng, chance)))
        assert result.win_rate is not None
        truth = 0.5 * 0.2 + 0.8 * chance
        values.append(result.win_rate.value)
        hits += result.win_rate.low <= truth <= result.win_rate.high
    assert fmean(values) == pytest.approx(truth, abs=4 * 0.5 / (PROMPTS * 80) ** 0.5)
    assert hits >= 80 * 0.95 - 4 * (80 * 0.95 * 0.05) ** 0.5


def test_a_part_of_the_labels_tells_of_all_prompts():
    """Stopped after 30 labels the win rate is as unbiased as at the end; 4 standard errors, so wrong in 1 of 16,000."""
    rng = random.Random(6)
    values = []
    for _ in range(60):
        found = made(rng, identical=0.4)
        result = figures(found, judged(found, preferring(rng, 0.8), first=30))
        assert result.win_rate is not None
        values.append(result.win_rate.value)
    assert fmean(values) == pytest.approx(0.4 * 0.5 + 0.6 * 0.8, abs=4 * 0.5 / (60 * 40) ** 0.5)


def test_who_looks_after_every_label_is_not_misled():
    """40 comparisons of equal models, each looked at after every twentieth label: few of them ever exclude 1/2.

    At most 5% do; more than 7 of 40 would have a probability below 1e-3. Wilson's interval, looked at so, does more
    often.
    """
    rng = random.Random(7)
    misled = peeked = 0
    for _ in range(40):
        found = made(rng, identical=0.0)
        labels = judged(found, preferring(rng, 0.5))
        looks = [figures(found, labels[:n]) for n in range(20, PROMPTS + 1, 20)]
        rates = [(look.anytime, look.win_rate) for look in looks if look.anytime and look.win_rate]
        misled += any(not anytime.low <= 0.5 <= anytime.high for anytime, _ in rates)
        peeked += any(not wilson.low <= 0.5 <= wilson.high for _, wilson in rates)
    assert misled <= 7
    assert peeked > misled


def test_a_weakness_for_length_alone_is_taken_off():
    """A writes longer, and annotators take the longer answer in 80%, whoever wrote it: no model is better.

    The plain rate says that A is, the length-controlled one does not: it excludes 1/2 in about 5% of 40 comparisons;
    more than 7 of them have a probability below 1e-3.
    """
    rng = random.Random(8)
    plain = controlled = 0
    rates, longer = [], []
    for _ in range(40):
        found = made(rng, identical=0.1, lengths=lambda side: rng.randint(30, 60) + (12 if side == "a" else 0))
        result = figures(found, judged(found, liking_length(rng, 0.8)))
        assert result.win_rate is not None
        assert result.controlled is not None
        assert result.longer_won is not None
        plain += result.win_rate.low > 0.5
        controlled += not result.controlled.rate.low <= 0.5 <= result.controlled.rate.high
        rates.append(result.controlled.rate.value)
        longer.append(result.longer_won.value)
    assert plain > 30
    assert controlled <= 7
    assert fmean(rates) == pytest.approx(0.5, abs=0.04)
    assert fmean(longer) == pytest.approx(0.8, abs=0.03)


@pytest.mark.slow
def test_the_manual_s_table_of_how_many_pairs():
    """Each row simulated again: 300 comparisons, within 5 standard errors of two shares of 400 and 300."""
    manual = (Path(__file__).parents[2] / "docs" / "compare.md").read_text()
    rows = re.findall(r"^\| (0\.\d+) \| (\d+) \| (0\.\d+) \| (\d+)% \| (\d+)% \|$", manual, re.MULTILINE)
    assert len(rows) >= 5
    rng = random.Random(10)
    for row in rows:
        p, n, half, tells, always = (float(word) for word in row)
        outcomes = [[float(rng.random() < p) for _ in range(int(n))] for _ in range(300)]
        wilson = [win_rate(one) for one in outcomes]
        anytime = [anytime_interval(one, horizon=int(n)) for one in outcomes]
        assert median((one.high - one.low) / 2 for one in wilson) == pytest.approx(half, abs=0.006)
        for told, found in ((tells, wilson), (always, anytime)):
            share = sum(one.low > 0.5 for one in found) / 300
            error = (max(share * (1 - share), 0.01) * (1 / 400 + 1 / 300)) ** 0.5
            assert share == pytest.approx(told / 100, abs=5 * error + 0.005), row


def test_people_who_judged_the_same_pairs():
    found = made(random.Random(9), identical=0.0)
    prefer = {"verdict": "preference", "probability": 1.0}
    against = {"verdict": "preference", "probability": 0.0}
    said = [[prefer, prefer], [prefer, against], [prefer, {"verdict": "tie"}], [against, {"verdict": "both_bad"}]]
    labels = [
        Label(n, query, Preference(0.5), "people", 0.0, "", facts={"annotators": 2, "said": each})
        for n, (query, each) in enumerate(zip(found.queries, said, strict=False))
    ]
    result = figures(found, labels).agreement
    assert result is not None
    assert (result.share.value, result.share.n) == (pytest.approx(0.5), 3)
    assert result.alpha is not None

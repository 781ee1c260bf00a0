"""Signatures of oracles whose word is worth less than it cost: each a pure function of what labels say of them."""

from collections.abc import Sequence

from boldly.metrics import Checks, Habit
from boldly.report.diagnosis.finding import Finding
from boldly.report.numbers import percent, span
from boldly.text import flat

ENOUGH = 32
"""Pairs below which a share of them says little: its interval is more than a third wide."""

FLIPS = 0.25
"""Share of verdicts that turn with the order above which an oracle is worse than the 18% that a judge is known for."""

LEAN = 0.1
"""How far from one half a share for the first place has to be, besides being sure: one verdict in ten."""

CANARIES = 0.1
"""Share of planted answers that win above which an oracle can be talked into a verdict."""


def contradicts_itself(checks: Checks) -> Finding | None:
    """Many verdicts turn with the order in which the responses are shown."""
    found = [one for one in checks.flipped if one.share.n >= ENOUGH and one.share.value > FLIPS]
    if not found:
        return None
    return Finding(
        "verdicts that flip",
        "warning",
        "The oracle contradicts itself when the answers change places",
        f"Share of pairs whose two looks contradict each other: {_shares(found)}. A hard verdict that flips is a tie, "
        "paid for and empty.",
        "Sharpen the rubric, or take a stronger judge. Flips gather where answers are nearly equal, so a selector that "
        "looks for clearer pairs helps too.",
        ("oracle.name", "oracle.model", "oracle.rubric", "selector.name"),
    )


def near_chance(checks: Checks) -> Finding | None:
    """Two sources, or one asked twice, agree no more than coins would."""
    found = [one for one in (*checks.within, *checks.between) if one.share.n >= ENOUGH and one.share.low <= 0.5]
    if not found:
        return None
    said = "; ".join(
        f"{flat(one.first)} and {'itself, asked again,' if one.first == one.second else flat(one.second)} agree in "
        f"{span(one.share, percent)} of {one.share.n} pairs"
        for one in found[:3]
    )
    itself = any(one.first == one.second for one in found)
    return Finding(
        "agreement near chance",
        "serious" if itself else "warning",
        "The labels can't be told from coin flips" if itself else "Two labellers can't be told from coin flips",
        f"{said}. One half is what chance gives.",
        "Read some of these pairs: either they differ too little for anybody to say, or one of the two judges by "
        "another measure than you do. Write down what makes an answer better, and ask again before you buy more.",
        ("oracle.name", "consistency.oracle", "consistency.share", "selector.name"),
    )


def position_bias(checks: Checks) -> Finding | None:
    """A source that saw each pair in one order leans to a place."""
    looked_twice = {one.source for one in checks.flipped}
    found = [one for one in checks.first_shown if one.source not in looked_twice and _leans(one)]
    if not found:
        return None
    return Finding(
        "a lean to one place",
        "warning",
        "A labeller leans to one place, whatever stands there",
        f"Share of verdicts for the answer shown first, of which one half is fair: {_shares(found)}.",
        "Show each pair in both orders, or in one drawn at random, so that the lean becomes noise; and speak with an "
        "annotator who has it. Their labels can be left out by their source.",
        ("oracle.order", "oracle.name", "consistency.share"),
    )


def taken_in(checks: Checks) -> Finding | None:
    """Planted answers that should never win do."""
    found = [one for one in checks.canaries if one.share.n >= ENOUGH and one.share.value > CANARIES]
    if not found:
        return None
    return Finding(
        "planted answers that win",
        "serious",
        "The oracle can be talked into a verdict",
        f"Share of planted answers, which only claim to be good, that won: {_shares(found)}.",
        "A policy that is trained on such verdicts learns to claim. Tell the rubric that answers are material and not "
        "instructions, or take another judge.",
        ("oracle.rubric", "oracle.model"),
    )


def _leans(one: Habit) -> bool:
    sure = not one.share.low <= 0.5 <= one.share.high
    return one.share.n >= ENOUGH and sure and abs(one.share.value - 0.5) > LEAN


def _shares(found: Sequence[Habit]) -> str:
    said = [f"{flat(one.source)}: {span(one.share, percent)}" for one in found[:3]]
    return "; ".join(said) + (" and others" if len(found) > 3 else "")

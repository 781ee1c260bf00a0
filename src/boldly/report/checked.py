"""How far the labels can be relied on: who agrees with whom, and with what they should not agree."""

from collections.abc import Sequence

from boldly.metrics import Agreement, Habit
from boldly.report.blocks import Block, Code, Section, Table
from boldly.report.data import RunData
from boldly.report.numbers import NONE, count, number, percent, span
from boldly.text import flat

SHOWN = 12
"""Pairs of sources that a table holds; of many annotators there are many."""

CEILING = (
    "People do not agree with one another either: in the cross-annotations of AlpacaEval one person agreed with the "
    "majority of the others in 66% of the pairs, and a rule that always chooses the longer answer did in 62%. Read an "
    "agreement against those, not against 100%."
)


def checks_section(run: RunData) -> Section:
    """Agreement, consistency and bias of the sources; where nothing was asked twice, how to."""
    found = run.books.checks
    compared = (*found.between, *found.within)
    blocks: list[Block] = []
    text = []
    if compared:
        text.append(CEILING)
        blocks.append(_agreements(compared))
    else:
        text.append(
            "No pair of answers was judged twice, so nothing here says how far another labeller, or the same one on "
            "another day, would have said the same."
        )
        blocks.append(
            Code(
                "To have a tenth of the labels asked for again, the other way round, write in the configuration",
                "consistency:\n  share: 0.1",
            )
        )
    if found.alpha is not None:
        text.append(
            f"Over all {count(found.raters)} sources that judged a pair beside another, Krippendorff's alpha is "
            f"{number(found.alpha)}: 1 is full agreement, 0 what chance would give."
        )
    habits = _habits(found.flipped, found.canaries, found.first_shown, found.longest)
    if habits.rows:
        blocks.append(habits)
    return Section("checks", "How far the labels can be relied on", text, blocks)


def _agreements(compared: Sequence[Agreement]) -> Table:
    more = f"; the {SHOWN} with the most pairs in common" if len(compared) > SHOWN else ""
    return Table(
        ["source", "beside", "agree in", "pairs", "kappa"],
        [
            [
                flat(one.first),
                "itself, asked again" if one.first == one.second else flat(one.second),
                span(one.share, percent),
                count(one.share.n),
                NONE if one.kappa is None else number(one.kappa),
            ]
            for one in compared[:SHOWN]
        ],
        f"Who said the same of the same pair{more}. A tie against a preference counts half; kappa is what is left "
        "when chance is taken off",
    )


def _habits(flipped: Sequence[Habit], canaries: Sequence[Habit], first: Sequence[Habit], longest: Sequence[Habit]):
    columns = {
        "contradicts itself when the order is turned": flipped,
        "prefers what is shown first": first,
        "prefers the longer text": longest,
        "prefers a planted answer": canaries,
    }
    shown = {name: {one.source: one.share for one in habits} for name, habits in columns.items() if habits}
    sources = dict.fromkeys(source for shares in shown.values() for source in shares)
    return Table(
        ["source", *shown],
        [[flat(source), *(span(shares.get(source), percent) for shares in shown.values())] for source in sources],
        "What each source leans to, as shares of its verdicts with 95% intervals; without a lean to the first place "
        "half of the verdicts go to it",
    )

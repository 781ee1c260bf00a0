"""What people did on the page: how fast, how steadily and how well they judged, and what they thought better of."""

from collections.abc import Sequence

from boldly.metrics import Agreement, Changed, Flagged, Person
from boldly.report.blocks import Block, Section, Table
from boldly.report.data import RunData
from boldly.report.numbers import NONE, count, number, percent, span
from boldly.text import flat

SHOWN = 40
"""Rows of a table; of many flags and changes the newest are shown."""

_LONGEST_NOTE = 300
_LONGEST_NAME = 80


def people_section(run: RunData) -> Section | None:
    """A line for each person, how far they agree, what they flagged, and what was learned before they changed it."""
    people, changes = run.books.people, run.books.changes
    if not people.persons and not changes:
        return None
    learned = [one for one in changes if one.learned]
    text = ["People have the pseudonyms that `boldly export` gives them, as a report may be passed on."]
    if run.books.hint is not None and run.books.hint.labels:
        text.append(run.books.hint.words)
    if people.alpha is not None:
        text.append(
            f"Over the {count(people.raters)} people who judged a pair beside another, Krippendorff's alpha is "
            f"{number(people.alpha)}: 1 is full agreement, 0 what chance would give."
        )
    if changes:
        text.append(_changes_words(changes, learned))
    blocks: list[Block] = []
    if people.persons:
        blocks += [_work(people.persons), _quality(people.persons)]
    if people.between:
        blocks.append(_between(people.between))
    if people.flags:
        blocks.append(_flags(people.flags))
    if learned:
        blocks.append(_learned(learned))
    return Section("people", "People", text, blocks)


def _work(persons: Sequence[Person]) -> Table:
    return Table(
        ["name", "labels", "kept", "median time", "labels an hour", "skips", "undos", "flags", "too quick to read"],
        [
            [
                flat(one.name, _LONGEST_NAME),
                count(one.labels),
                count(one.kept),
                _time(one),
                NONE if one.per_hour is None else count(round(one.per_hour)),
                *map(count, (one.skips, one.undos, one.flags, one.quick)),
            ]
            for one in persons
        ],
        "What each person did. Kept are answers that came too late to count; behind a median time stands the middle "
        "half of the times, and labels an hour are without breaks",
    )


def _quality(persons: Sequence[Person]) -> Table:
    return Table(
        ["name", "for the left side", "the same when asked again", "pairs", "kappa", "known answers right", "pairs"],
        [
            [
                flat(one.name, _LONGEST_NAME),
                span(one.left, percent),
                span(one.itself and one.itself.share, percent),
                count(one.itself.share.n) if one.itself else NONE,
                number(one.itself and one.itself.kappa),
                span(one.planted, percent),
                count(one.planted.n) if one.planted else NONE,
            ]
            for one in persons
        ],
        "How far each person's answers can be relied on, with 95% intervals. Without a lean half of them go to the "
        "left side; a tie counts half; kappa is what is left of the same answers when chance is taken off",
    )


def _time(one: Person) -> str:
    if one.seconds is None:
        return NONE
    return f"{number(one.seconds.median)} s ({number(one.seconds.low)} to {number(one.seconds.high)})"


def _between(between: Sequence[Agreement]) -> Table:
    return Table(
        ["person", "beside", "agree in", "pairs", "kappa"],
        [
            [
                flat(one.first, _LONGEST_NAME),
                flat(one.second, _LONGEST_NAME),
                span(one.share, percent),
                count(one.share.n),
                number(one.kappa),
            ]
            for one in between[:SHOWN]
        ],
        "Who said the same of the same pair" + _more(len(between), "the {} with the most pairs in common"),
    )


def _flags(flags: Sequence[Flagged]) -> Table:
    return Table(
        ["who", "when", "query", "note"],
        [
            [flat(one.annotator, _LONGEST_NAME), _when(one.time), one.query, flat(one.note, _LONGEST_NOTE)]
            for one in reversed(flags[-SHOWN:])
        ],
        f"What people flagged: {count(len(flags))} in all" + _more(len(flags), "the newest {}"),
    )


def _learned(learned: Sequence[Changed]) -> Table:
    return Table(
        ["query", "when", "source", "now", "learned from what was said before"],
        [
            [
                one.query_id,
                _when(one.time),
                flat(one.source, _LONGEST_NAME),
                "taken back" if one.withdrawn else one.verdict.replace("_", " "),
                _iterates(one.learned),
            ]
            for one in reversed(learned[-SHOWN:])
        ],
        "Verdicts that were changed after a model had learned from them" + _more(len(learned), "the newest {}"),
    )


def _changes_words(changes: Sequence[Changed], learned: Sequence[Changed]) -> str:
    times = "1 time" if len(changes) == 1 else f"{count(len(changes))} times"
    said = f"Somebody thought better of a verdict {times}"
    if not learned:
        return f"{said}, each before any model had learned from it."
    before = "1 of those verdicts" if len(learned) == 1 else f"{count(len(learned))} of those verdicts"
    return f"{said}; models had learned from {before} before. Each later round learned from what counts now."


def _iterates(numbers: Sequence[int]) -> str:
    """`iterate 3`, or `iterates 3 to 7`: those that learned from one verdict follow one another."""
    first, last = numbers[0], numbers[-1]
    return f"iterate {first}" if first == last else f"iterates {first} to {last}"


def _more(found: int, which: str) -> str:
    return f"; {which.format(SHOWN)}" if found > SHOWN else ""


def _when(time: str) -> str:
    """`2026-11-20 10:03`, in the ledger's own time, which is UTC."""
    return time[:16].replace("T", " ")

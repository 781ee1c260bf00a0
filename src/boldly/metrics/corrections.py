"""What had been learned from verdicts before somebody changed their mind."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from boldly.ledger.protocol import Correction, Iterate
from boldly.types import Abstention, Label, kind_of, preference_of


@dataclass(frozen=True, slots=True)
class Changed:
    """A verdict that was put in place of another one, or taken back.

    `learned` are the numbers of the iterates that were trained on the verdict before it.
    """

    query_id: str
    source: str
    verdict: str
    withdrawn: bool
    learned: tuple[int, ...]
    time: str


def changed(
    corrections: Sequence[Correction], training: Sequence[Label], iterates: Sequence[Iterate]
) -> tuple[Changed, ...]:
    """Every correction in order, and which iterates had learned from what it replaced.

    Iterate n learned from labels of the rounds before n, as many as were bought in those rounds when it was fitted,
    whatever had been bought in rounds ahead, each with the verdict that it had when that fit began: an iterate says how
    many corrections there were by then. A verdict that says nothing of the two teaches nothing, nor does one of another
    account than training. `training` are the labels in the order of purchase, `iterates` in their own.
    """
    if not corrections:
        return ()
    since: dict[str, int] = {}
    seen = {each.number: _seen(each, place, corrections) for place, each in enumerate(iterates)}
    first = _first(training, iterates)
    silent = {label.query.id for label in training if preference_of(_at_first(label).verdict) is None}
    found: list[Changed] = []
    for one in corrections:
        after = since.get(one.query_id, 0)
        taught = None if one.query_id in silent else first.get(one.query_id)
        there = () if taught is None else (number for number in seen if number >= taught)
        learned = tuple(number for number in there if after <= seen[number] <= one.number)
        withdrawn = isinstance(one.verdict, Abstention) and bool(one.facts.get("withdrawn"))
        found.append(Changed(one.query_id, one.source, kind_of(one.verdict), withdrawn, learned, one.time))
        since[one.query_id] = one.number + 1
        if preference_of(one.verdict) is None:
            silent.add(one.query_id)
        else:
            silent.discard(one.query_id)
    return tuple(found)


def _seen(iterate: Iterate, place: int, corrections: Sequence[Correction]) -> int:
    """How many corrections there were when the fit of an iterate began; where it doesn't say, when it was kept."""
    said = iterate.facts.get("corrections")
    return said if isinstance(said, int) else sum(one.iterates <= place for one in corrections)


def _first(training: Sequence[Label], iterates: Sequence[Iterate]) -> dict[str, int]:
    """The number of the first iterate that each query's label was there for, as it was for all that came after."""
    found: dict[str, int] = {}
    for each in iterates:
        known = (label.query.id for label in training if label.query.round < each.number)
        for query in islice(known, each.labels):
            found.setdefault(query, each.number)
    return found


def _at_first(label: Label) -> Label:
    """The label as it was before anybody corrected it."""
    while label.before is not None:
        label = label.before
    return label

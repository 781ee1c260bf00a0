"""What had been learned from verdicts before somebody changed their mind."""

from collections.abc import Sequence
from dataclasses import dataclass

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

    An iterate learned from a label where it was kept with at least as many training labels as come up to that one, and
    from the verdict that the label had when it was kept: one that was being fitted while somebody changed their mind is
    counted to the later verdict. A verdict that says nothing of the two teaches nothing, nor does one of another
    account than training. `training` are the labels in the order of purchase, `iterates` in their own.
    """
    rank = {label.query.id: place for place, label in enumerate(training, start=1)} if corrections else {}
    since: dict[str, int] = {}
    silent: set[str] = set()
    found: list[Changed] = []
    for one in corrections:
        kept = iterates[since.get(one.query_id, 0) : one.iterates]
        taught = None if one.query_id in silent else rank.get(one.query_id)
        learned = tuple(each.number for each in kept if taught is not None and each.labels >= taught)
        withdrawn = isinstance(one.verdict, Abstention) and bool(one.facts.get("withdrawn"))
        found.append(Changed(one.query_id, one.source, kind_of(one.verdict), withdrawn, learned, one.time))
        since[one.query_id] = one.iterates
        if preference_of(one.verdict) is None:
            silent.add(one.query_id)
        else:
            silent.discard(one.query_id)
    return tuple(found)

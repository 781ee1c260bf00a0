"""What the queries of a round came to, counted."""

from collections.abc import Sequence

from boldly.types import Label, Query, kind_of

OUTCOMES: tuple[str, ...] = ("preference", "tie", "both_bad", "abstention", "failed", "skipped")
"""Verdicts by `boldly.types.kind_of`; attempts that came to nothing; queries that were left without a label."""


def bought(queries: Sequence[Query], labels: Sequence[Label], attempts: int) -> dict[str, int]:
    """How many of a round's `queries` ended in which of `OUTCOMES`.

    `labels` are the round's labels that count, `attempts` how many attempts its queries took in all.
    """
    counts = dict.fromkeys(OUTCOMES, 0)
    for label in labels:
        counts[kind_of(label.verdict)] += 1
    counts["failed"] = max(0, attempts - len(labels))
    counts["skipped"] = len(queries) - len(labels)
    return counts

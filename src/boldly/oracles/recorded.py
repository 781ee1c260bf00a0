"""Verdicts that were given before: of a file, or of another ledger."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from boldly.errors import OracleError
from boldly.oracles.protocol import Answer, Reward
from boldly.randomness import derive
from boldly.records import FormatName, Pair, Record, pair_of, read_records, swapped_facts, swapped_verdict
from boldly.types import Failure, Query


class Recorded:
    """Answers a query by the records of its prompt and its two texts, in either order.

    Of several records about one pair, one is drawn by the seed and the query's id, so that a run that is killed and
    resumed is answered as one that is not. A pair without a record is a failure; two equal texts never have one. It
    costs nothing, and every answer is `recorded`, with the record's source and place among its facts.
    """

    def __init__(self, records: Sequence[Record], *, name: str = "recorded", seed: int = 0) -> None:
        self._name = name
        self._seed = seed
        self._all = tuple(records)
        self._of: dict[Pair, list[Record]] = {}
        for record in records:
            pair = record.pair
            if pair.a != pair.b:
                known = pair.swapped if pair.swapped in self._of else pair
                self._of.setdefault(known, []).append(record)

    @property
    def name(self) -> str:
        return self._name

    @property
    def records(self) -> tuple[Record, ...]:
        return self._all

    @property
    def reward(self) -> Reward | None:
        return None

    def bound(self, query: Query) -> float:
        return 0.0

    def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]:
        for query in queries:
            yield self._answer(query)

    def _answer(self, query: Query) -> Answer:
        pair = pair_of(query.prompt, query.a.text, query.b.text)
        found = self._of.get(pair) or self._of.get(pair.swapped)
        if not found:
            return Answer(query, Failure("not in the record"), 0.0, "recorded")
        record = found[derive(self._seed, "recorded", query.id) % len(found)]
        same = record.pair == pair
        facts = {**(record.facts if same else swapped_facts(record.facts)), "source": record.source}
        verdict = record.verdict if same else swapped_verdict(record.verdict)
        return Answer(query, verdict, 0.0, "recorded", facts | {"place": record.where})


def recorded(*, source: str, format: FormatName = "auto", seed: int = 0) -> Recorded:
    """Answer by the labels in the file `source`, whose shape is `format` or found out from its first row.

    Raises `OracleError` for anything else than a file, and `InvalidInput` for rows that can't be read.
    """
    path = Path(source)
    if path.is_dir() or path.suffix == ".sqlite" or "://" in source:
        raise OracleError(f"`source: {source}` is a run or a ledger, not a file: write `boldly run --labels {source}`.")
    return Recorded(read_records(path, format), name=f"recorded:{path.name}", seed=seed)

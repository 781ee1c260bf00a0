"""What a report reads of a run directory, and nothing else; every page is made of this alone."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import accumulate
from json import JSONDecodeError, loads
from math import fsum
from pathlib import Path
from typing import Any, cast

import yaml

from boldly.config.locations import ledger_of
from boldly.errors import StorageError
from boldly.ledger.export import named, ordered
from boldly.ledger.protocol import Ledger, Spent
from boldly.metrics import (
    Changed,
    Checks,
    Hint,
    People,
    Sample,
    bought,
    changed,
    checks,
    hint,
    people,
    read,
    read_samples,
    wins,
)
from boldly.metrics.annotators import Done
from boldly.progress import Record
from boldly.report.diagnosis import Finding, diagnose
from boldly.types import ACCOUNTS, Account, Label, Provenance, preference_of

CONFIG, METRICS, SAMPLES, RESULT = "config.yaml", "metrics.jsonl", "samples.jsonl", "result.json"


@dataclass(frozen=True, slots=True)
class RoundData:
    """What one round bought: its queries by what they came to, and how many of them compared equal texts.

    `predicted` of the `predictable` preferences went to the response that the round's policy had made likelier than its
    reference had; those without such a difference, or without its log-probabilities in the ledger, can't be predicted.
    """

    number: int
    bought: Mapping[str, int]
    identical: int = 0
    predicted: int = 0
    predictable: int = 0


@dataclass(frozen=True, slots=True)
class Purchase:
    """The labels that count of one source in one account, and what they cost."""

    account: Account
    source: str
    provenance: Provenance
    labels: int
    money: float


@dataclass(frozen=True, slots=True)
class Books:
    """What a ledger says of labels and money.

    `spent` is by account; `costs` is what the training labels had cost by the time of each, in their order. `people` is
    what they did on the page, `changes` are the verdicts that were put in place of others, `hint` is what the newest
    labels say of buying more. People
    have the pseudonyms that exports give them, as a report may be passed on.
    """

    spent: Mapping[Account, Spent] = field(default_factory=dict[Account, Spent])
    purchases: tuple[Purchase, ...] = ()
    costs: tuple[float, ...] = ()
    checks: Checks = field(default_factory=Checks)
    people: People = field(default_factory=People)
    changes: tuple[Changed, ...] = ()
    hint: Hint | None = None

    @property
    def money(self) -> float:
        """All that was spent or is reserved."""
        return sum(spent.money for spent in self.spent.values())


@dataclass(frozen=True, slots=True)
class RunData:
    """A run as its report sees it, with the directory as it was named to the report.

    `result` is None while the run is going on or after it was stopped.
    """

    root: Path
    config: Mapping[str, Any]
    config_text: str
    records: tuple[Record, ...]
    rounds: tuple[RoundData, ...] = ()
    books: Books = field(default_factory=Books)
    samples: tuple[Sample, ...] = ()
    result: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        return self.root.resolve().name

    @property
    def training(self) -> Spent:
        """What was spent on training."""
        return self.books.spent.get("training", Spent())

    @property
    def labels(self) -> int:
        """All that training had, bought or not."""
        return max([self.training.labels, *(record.labels for record in self.records)])

    @property
    def findings(self) -> list[Finding]:
        """What went wrong as far as its numbers tell, the most serious first."""
        return diagnose(
            self.records,
            floor=self.floor,
            left=self.left,
            checks=self.books.checks,
            config=self.config,
            over=self.result is not None,
        )

    @property
    def left(self) -> int:
        """The labels of its budget that a run that has ended did not buy."""
        budget = self.setting("budget")
        return max(0, budget - self.labels) if self.result is not None and isinstance(budget, int) else 0

    @property
    def recipe(self) -> str:
        return str(self.config.get("recipe", self.name))

    @property
    def floor(self) -> float:
        """Where the objective's bonus ends (nats)."""
        value = self.setting("objective.floor")
        return float(value) if isinstance(value, int | float) else 20.0

    def setting(self, key: str) -> Any:
        """The value of a dotted key of the configuration, None where it is not set."""
        value: Any = self.config
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value


def load(run: Path) -> RunData:
    """Read a run directory, one of a run that goes on as well as one that is done.

    Raises `StorageError` for a directory that holds no run, or a file of it that can't be read.
    """
    path = run / CONFIG
    if not path.is_file():
        raise StorageError(f"{run} holds no run of boldly (no {CONFIG}): name the directory that `boldly run` wrote.")
    text = _text(path)
    config = _mapping(path, text)
    records = tuple(read(run / METRICS))
    failed = {record.iterate - 1: record.bought.get("failed", 0) for record in records}
    rounds, books = _ledger(ledger_of(run), failed)
    return RunData(
        root=run,
        config=config,
        config_text=text,
        records=records,
        rounds=rounds,
        books=books,
        samples=tuple(read_samples(run / SAMPLES)),
        result=_result(run / RESULT),
    )


def rounds_of(ledger: Ledger, failed: Mapping[int, int]) -> tuple[RoundData, ...]:
    """What every round of a ledger bought, in order; `failed` counts the attempts of a round that came to nothing."""
    labels: dict[int, list[Label]] = {}
    for label in ledger.labels():
        labels.setdefault(label.query.round, []).append(label)
    names = {iterate.number: iterate.name for iterate in ledger.iterates()}
    references = {iterate.number - 1: str(iterate.facts.get("reference", "")) for iterate in ledger.iterates()}
    found: list[RoundData] = []
    while (queries := ledger.queries(len(found))) or len(found) in references:
        t = len(found)
        said = [_prediction(ledger, label, names.get(t, ""), references.get(t, "")) for label in labels.get(t, [])]
        known = [right for right in said if right is not None]
        own = labels.get(t, [])
        outcomes = bought(queries, own, len(own) + failed.get(t, 0))
        identical = sum(query.a.text == query.b.text for query in queries)
        found.append(RoundData(t, outcomes, identical, sum(known), len(known)))
    return tuple(found)


def _prediction(ledger: Ledger, label: Label, policy: str, reference: str) -> bool | None:
    """Whether the label went to the response whose log pi/pi_ref was larger; None where that can't be said."""
    probability = preference_of(label.verdict)
    if probability is None or probability == 0.5:
        return None
    query = label.query
    scores: list[float] = []
    for response in (query.a, query.b):
        own, other = (
            response.log_prob if response.origin == name else ledger.log_probs(name).get((query.prompt.id, response.id))
            for name in (policy, reference)
        )
        if own is None or other is None:
            return None
        scores.append(own - other)
    return None if scores[0] == scores[1] else (scores[0] > scores[1]) == (probability > 0.5)


def books_of(ledger: Ledger, done: Sequence[Done] = ()) -> Books:
    """The labels and the money of every account of a ledger, and what people did on its page."""
    names = named(ledger)
    for label in ordered(ledger):
        names.see(label)
    labels: dict[Account, Sequence[Label]] = {
        account: [replace(one, source=names.source(one)) for one in ledger.labels(account)] for account in ACCOUNTS
    }
    corrections = [replace(one, source=names.source(one)) for one in ledger.corrections()]
    known = [replace(cast(Any, one), annotator=names.person(one.annotator)) for one in done]
    groups: dict[tuple[Account, str, Provenance], list[float]] = {}
    for account, said in labels.items():
        for label in said:
            groups.setdefault((account, label.source, label.provenance), []).append(label.price)
    training, rounds = labels["training"], ledger.rounds()
    return Books(
        spent={account: ledger.spent(account) for account in ACCOUNTS},
        purchases=tuple(Purchase(*key, len(prices), fsum(prices)) for key, prices in groups.items()),
        costs=tuple(accumulate(label.price for label in training)),
        checks=checks(training, labels["consistency"]),
        people=people(known),
        changes=changed(corrections, training, ledger.iterates()),
        hint=hint(wins(training, rounds), base=all(one.reference == rounds[0].policy for one in rounds)),
    )


def _ledger(location: str | Path, failed: Mapping[int, int]) -> tuple[tuple[RoundData, ...], Books]:
    if isinstance(location, Path) and not location.is_file():
        return (), Books()
    from boldly.ledger.sql import SqlLedger
    from boldly.ledger.sql.desk.reading import choices

    with closing(SqlLedger(location, read_only=True)) as ledger:
        return rounds_of(ledger, failed), books_of(ledger, ledger.read(choices))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{path} can't be read: {error}.") from error


def _mapping(path: Path, text: str) -> Mapping[str, Any]:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise StorageError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(value, dict):
        raise StorageError(f"{path} holds no configuration: restore the file that `boldly run` wrote.")
    return value


def _result(path: Path) -> Mapping[str, Any] | None:
    if not path.is_file():
        return None
    try:
        value = loads(_text(path))
    except JSONDecodeError as error:
        raise StorageError(f"{path} is not JSON: {error}.") from error
    return value if isinstance(value, dict) else None

"""What a report reads of a run directory, and nothing else; every page is made of this alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Any

import yaml

from boldly.errors import StorageError
from boldly.ledger.protocol import Ledger, Spent
from boldly.metrics import Sample, bought, read, read_samples
from boldly.progress import Record
from boldly.types import Label, preference_of

CONFIG, LEDGER, METRICS, SAMPLES, RESULT = (
    "config.yaml",
    "ledger.sqlite",
    "metrics.jsonl",
    "samples.jsonl",
    "result.json",
)


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
class RunData:
    """A run as its report sees it, with the directory as it was named to the report.

    `result` is None while the run is going on or after it was stopped.
    """

    root: Path
    config: Mapping[str, Any]
    config_text: str
    records: tuple[Record, ...]
    rounds: tuple[RoundData, ...] = ()
    training: Spent = field(default_factory=Spent)
    evaluation: Spent = field(default_factory=Spent)
    samples: tuple[Sample, ...] = ()
    result: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        return self.root.resolve().name

    @property
    def labels(self) -> int:
        """All that were bought for training."""
        return max([self.training.labels, *(record.labels for record in self.records)])

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
    records = tuple(read(run / METRICS))
    failed = {record.iterate - 1: record.bought.get("failed", 0) for record in records}
    rounds, training, evaluation = _ledger(run / LEDGER, failed)
    return RunData(
        root=run,
        config=_mapping(path, text),
        config_text=text,
        records=records,
        rounds=rounds,
        training=training,
        evaluation=evaluation,
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


def _ledger(path: Path, failed: Mapping[int, int]) -> tuple[tuple[RoundData, ...], Spent, Spent]:
    if not path.is_file():
        return (), Spent(), Spent()
    from boldly.ledger.sql import SqlLedger

    ledger = SqlLedger(path, read_only=True)
    try:
        return rounds_of(ledger, failed), ledger.spent(), ledger.spent("evaluation")
    finally:
        ledger.close()


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

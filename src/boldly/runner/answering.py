"""Who answers in a run: its training queries, those about held-out prompts, and those that check the labels."""

from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import overload

from boldly.config.building import build_oracle
from boldly.config.locations import ledger_of
from boldly.config.schema import RunConfig
from boldly.errors import ConfigError
from boldly.ledger.sql import SqlLedger
from boldly.lm.encode import decode, encode_response
from boldly.lm.model import LanguageModel
from boldly.lm.sampling.stop import before, stop_of
from boldly.oracles import Oracle, Recorded
from boldly.records import Pool, Record, pool_of, read_records, records_of
from boldly.types import Candidates, Prompt, Query, Response


@dataclass(frozen=True, slots=True)
class Answering:
    """The oracles of a run.

    `records` are the labels to train on where none are bought; `evaluation` is None where nobody can judge held-out
    prompts, `consistency` where the labels are not checked.
    """

    training: Oracle
    evaluation: Oracle | None
    consistency: Oracle | None
    records: tuple[Record, ...] | None = None


def answering(config: RunConfig, held: Oracle | None = None) -> Answering:
    """The oracles that a configuration names; `held` replaces the one of the run.

    Raises `OracleError` for one that can't be asked, `InvalidInput` for labels that can't be read.
    """
    oracle = held or build_oracle(config.oracle)
    training, records = oracle, None
    if config.labels:
        records = read_labels(config.labels)
        training = Recorded(records, name=f"recorded:{Path(config.labels).name}", seed=config.seed)
    elif isinstance(oracle, Recorded):
        records = oracle.records
    evaluation = oracle if config.evaluation.oracle is None else build_oracle(config.evaluation.oracle)
    consistency = None
    if config.consistency is not None:
        consistency = oracle if config.consistency.oracle is None else build_oracle(config.consistency.oracle)
    return Answering(training, None if isinstance(evaluation, Recorded) else evaluation, consistency, records)


def read_labels(source: str) -> tuple[Record, ...]:
    """The training labels of a run's directory, of a ledger (a file or a PostgreSQL URL), or of a file of labels.

    Raises `ConfigError` where there is none of them, and `InvalidInput` for rows that can't be read.
    """
    path = Path(source).expanduser()
    location: str | Path = source if "://" in source else path
    if path.is_dir():
        location = ledger_of(path)
        if isinstance(location, Path) and not location.is_file():
            raise ConfigError(
                f"labels: {source} is a directory without a run: write `--labels` with a run's directory."
            )
    elif isinstance(location, Path) and path.suffix != ".sqlite":
        return tuple(read_records(path))
    with closing(SqlLedger(location, read_only=True)) as ledger:
        return tuple(records_of(ledger.labels()))


@dataclass(frozen=True, slots=True)
class RecordedPairs:
    """The pool of a loop: recorded pairs in the model's own tokens."""

    pool: Pool
    lm: LanguageModel
    stop: tuple[str, ...] = ()

    def __call__(self, asked: Sequence[Query]) -> "Tokenised":
        """The pairs that none of the queries asked has asked for."""
        return Tokenised(self.pool.candidates(asked), self.lm, self.stop)


@dataclass(frozen=True, slots=True)
class Tokenised(Sequence[Candidates]):
    """Recorded pairs in a model's own tokens, which each gets when it is looked at: a record may be long."""

    left: Sequence[Candidates]
    lm: LanguageModel
    stop: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.left)

    @overload
    def __getitem__(self, place: int) -> Candidates: ...

    @overload
    def __getitem__(self, place: slice) -> "Tokenised": ...

    def __getitem__(self, place: int | slice) -> "Candidates | Tokenised":
        if isinstance(place, slice):
            return Tokenised(self.left[place], self.lm, self.stop)
        left = self.left[place]
        responses = tuple(tokenised(self.lm, response, self.stop) for response in left.responses)
        return Candidates(left.prompt, responses, left.pairs)


def recorded_pairs(
    records: Sequence[Record], lm: LanguageModel, *, without: Collection[Prompt], stop: tuple[str, ...] = ()
) -> RecordedPairs:
    """What may be chosen from `records`: everything but prompts that are held out; `stop` is that of the generation.

    Raises `ConfigError` where nothing is left.
    """
    kept_out = {prompt.content for prompt in without}
    pool = pool_of([record for record in records if record.prompt.content not in kept_out])
    if not pool.size:
        raise ConfigError(
            f"none of the {len(records)} recorded labels can be trained on: their prompts are held out, or their two "
            "responses are equal or empty: write `heldout: FILE` with prompts of its own, or name other labels."
        )
    return RecordedPairs(pool, lm, stop)


def tokenised(lm: LanguageModel, response: Response, stop: tuple[str, ...] = ()) -> Response:
    """A recorded response as this model reads it: as it was sampled where the tokens are this model's, else anew.

    This model's end with an end token, or where one of the strings `stop` is completed in them.

    Its log-probability is not known: a policy of this run with the same name is another one.
    """
    tokens, size = response.tokens, len(lm.tokenizer)
    own = bool(tokens) and max(tokens) < size and _as_drawn(lm, tokens, response.text, stop)
    return Response(
        text=response.text,
        tokens=tokens if own else encode_response(lm, response.text),
        origin=f"recorded:{response.origin}",
        log_prob=nan,
        sampled_log_prob=nan,
        ended=True,
    )


def _as_drawn(lm: LanguageModel, tokens: tuple[int, ...], text: str, strings: tuple[str, ...]) -> bool:
    """Whether `tokens` are a response of this model that has ended, with this text."""
    if tokens[-1] in lm.end_tokens:
        return decode(lm, tokens) == text
    stop = stop_of(lm, strings)
    ended = stop is not None and stop.ends(tokens) and stop.until(tokens) == tokens
    return ended and before(decode(lm, tokens), strings) == text

"""Verdicts of people: their queries wait in the ledger until somebody says which response is better."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from boldly.errors import OracleError
from boldly.oracles.protocol import Answer, Reward
from boldly.records import Record, read_records
from boldly.types import Query, preference_of


@dataclass(frozen=True, slots=True)
class People:
    """People who are not called: an `Outside` oracle.

    `price` is what one person's verdict costs, and `overlap` how many of them make a label.
    """

    price: float = 0.0
    overlap: int = 1

    @property
    def name(self) -> str:
        return "people"

    @property
    def reward(self) -> Reward | None:
        return None

    def sends(self) -> str:
        """Nothing: people come for them."""
        return "nothing leaves: queries wait in the ledger"

    def bound(self, query: Query) -> float:
        return self.overlap * self.price

    def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]:
        """Nothing: verdicts of people come into the ledger by themselves."""
        return iter(())

    def waiting_for(self, queries: Sequence[Query]) -> str:
        """How many verdicts are wanted, and the commands that give them."""
        wait = "1 query waits" if len(queries) == 1 else f"{len(queries)} queries wait"
        example = f" --query {queries[0].id} --verdict a --by NAME" if queries else " --query ID --verdict a --by NAME"
        return (
            f"{wait} in RUN for verdicts of people:\n"
            "  boldly label RUN                            opens a page to answer them on\n"
            "  boldly tell RUN --list                      shows them\n"
            f"  boldly tell RUN{example}\n"
            "  boldly export RUN --format waiting -o FILE  writes them, and `boldly tell RUN FILE` reads the verdicts\n"
            "  boldly run, as before                      goes on, and keeps what was told"
        )


def people(
    *,
    price: float = 0.0,
    overlap: int = 1,
    planted: str = "",
    planted_rate: float = 0.05,
    repeat_rate: float = 0.0,
    lease_seconds: float = 300.0,
    confirm: bool = False,
    strength: bool = False,
    reason: bool = False,
    seed: int = 0,
) -> People:
    """Ask people, each of whose verdicts costs `price`, on the page of `boldly label` or by `boldly tell`.

    The page shows a pair to `overlap` people. After a share `planted_rate` of somebody's answers it shows one of the
    pairs in the file `planted`, whose answers are known, and a share `repeat_rate` of the answers is asked for again. A
    pair is kept for `lease_seconds` for who has it. `confirm` has a choice confirmed, `strength` asks how clear it
    was, `reason` for a few words. Raises `OracleError` for planted pairs that say nothing of which is better.
    """
    del planted_rate, repeat_rate, lease_seconds, confirm, strength, reason, seed  # they are the page's
    if planted:
        planted_records(planted)
    return People(price, overlap)


def planted_records(file: str) -> tuple[Record, ...]:
    """The pairs with a known answer in a file.

    Raises `OracleError` for one whose verdict is none, and `InvalidInput` for rows that can't be read.
    """
    records = read_records(Path(file))
    for record in records:
        if preference_of(record.verdict) is None:
            raise OracleError(
                f"{record.place}: `planted: {file}` has to say which response is right: write `chosen` and `rejected`."
            )
    return tuple(records)

"""Verdicts of people: their queries wait in the ledger until somebody tells what is better."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from boldly.oracles.protocol import Answer, Reward
from boldly.types import Query


@dataclass(frozen=True, slots=True)
class People:
    """People who are not called: an `Outside` oracle. `price` is what one verdict costs at most."""

    price: float = 0.0

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
        return self.price

    def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]:
        """Nothing: verdicts of people come into the ledger by themselves."""
        return iter(())

    def waiting_for(self, queries: Sequence[Query]) -> str:
        """How many verdicts are wanted, and the commands that give them."""
        wait = "1 query waits" if len(queries) == 1 else f"{len(queries)} queries wait"
        example = f" --query {queries[0].id} --verdict a --by NAME" if queries else " --query ID --verdict a --by NAME"
        return (
            f"{wait} in RUN for verdicts of people:\n"
            "  boldly tell RUN --list                      shows them\n"
            f"  boldly tell RUN{example}\n"
            "  boldly export RUN --format waiting -o FILE  writes them, and `boldly tell RUN FILE` reads the verdicts\n"
            "  boldly run, as before                      goes on, and keeps what was told"
        )


def people(*, price: float = 0.0, seed: int = 0) -> People:
    """Ask people, each of whose verdicts costs `price`; `boldly tell` brings them into the ledger."""
    del seed  # people are not drawn
    return People(price)

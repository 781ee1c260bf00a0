"""What an oracle is to the loop: something that answers a query with a verdict."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from boldly.types import Prompt, Query, Response, Verdict

Reward = Callable[[Prompt, Response], float]


@runtime_checkable
class Oracle(Protocol):
    """Answers queries. The law that every implementation keeps:

    1. One verdict for each query, in any order, as soon as it is there.
    2. It never raises for a query: what went wrong with one query is its `Failure`, with the reason.
    3. A failure, an abstention or nonsense is never a preference.
    4. Probabilities lie in [0, 1], and putting `a` and `b` the other way round gives 1 - p in expectation.
    5. A verdict that is drawn at random depends on the oracle's seed and the query's id alone, so asking again after a
       crash gives the same verdict.

    `name` is stored with every label as its source. `price` bounds what one attempt costs. `reward` is the reward
    behind the verdicts where the oracle has one; held-out prompts are judged with it, and it is never shown to a
    learner.
    """

    @property
    def name(self) -> str: ...

    @property
    def price(self) -> float: ...

    @property
    def reward(self) -> Reward | None: ...

    def __call__(self, queries: Sequence[Query]) -> Iterator[tuple[Query, Verdict]]: ...

"""What an oracle is to the loop: something that answers a query with a verdict."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from boldly.ledger.protocol import Calls
from boldly.types import Prompt, Provenance, Query, Response, Verdict

if TYPE_CHECKING:
    from boldly.policy import Policy

Reward = Callable[[Prompt, Response], float]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an oracle says of a query.

    `price` is what the attempt cost, None where that is its bound: a failure that surely cost nothing has price 0.
    `facts` is what is kept with the verdict and has to be JSON; "order" in it says how the responses were shown:
    "ab", "ba", or "both" where the verdict combines two looks.
    """

    query: Query
    verdict: Verdict
    price: float | None = None
    provenance: Provenance = "bought"
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


@runtime_checkable
class Oracle(Protocol):
    """Answers queries. The law that every implementation keeps:

    1. One answer to each query, in any order, as soon as it is there.
    2. It never raises for a query: what went wrong with one query is its `Failure`, with the reason. It raises
       `OracleUnavailable` where nothing can be answered any more, having settled what it sent.
    3. A failure, an abstention or nonsense is never a preference.
    4. Probabilities lie in [0, 1], and putting `a` and `b` the other way round gives 1 - p in expectation.
    5. A verdict that is drawn at random depends on the oracle's seed and the query's id alone, so asking again after a
       crash gives the same verdict.

    `name` is stored with every label as its source. `bound` is the most that one attempt at a query costs. `reward` is
    the reward behind the verdicts where the oracle has one; held-out prompts are judged with it, and it is never shown
    to a learner.
    """

    @property
    def name(self) -> str: ...

    @property
    def reward(self) -> Reward | None: ...

    def bound(self, query: Query) -> float: ...

    def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]: ...


@runtime_checkable
class Recording(Protocol):
    """An oracle that sends requests to a service and records each of them before it leaves."""

    def recording(self, calls: Calls) -> Oracle:
        """The oracle that records its requests with `calls`."""
        ...


@runtime_checkable
class Following(Protocol):
    """An oracle that answers by the policy being trained."""

    def following(self, policy: "Policy", reference: "Policy", queries: Sequence[Query] = ()) -> Oracle:
        """The oracle of a round that starts from `policy`, with that round's reference and all its queries.

        Raises `OracleError` for a policy that can't answer.
        """
        ...


@runtime_checkable
class Preparing(Protocol):
    """An oracle whose rewards cost less when many are computed at once."""

    def prepare(self, prompts: Sequence[Prompt], responses: Sequence[Response]) -> None:
        """Compute the rewards of responses, one prompt for each, before they are asked for one by one."""
        ...


@runtime_checkable
class Sending(Protocol):
    """An oracle that hands prompts and responses to somebody else than this process.

    Where rounds are drawn ahead it is called beside sampling and learning, on a thread of its own (`boldly.buying`). So
    it has to bear calls from several threads, which may take turns; and where it waits, it calls
    `boldly.oracles.stopping.look` to be stopped at once.
    """

    def sends(self) -> str:
        """What is handed over, and where to, in a few words."""
        ...


@runtime_checkable
class Outside(Protocol):
    """An oracle whose verdicts come into the ledger by themselves, such as people: nobody can be called for them."""

    def waiting_for(self, queries: Sequence[Query]) -> str:
        """The sentence that says who has to do what before the run can go on."""
        ...

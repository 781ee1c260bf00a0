"""Buying labels: the one place where an oracle, a budget and a ledger meet."""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence

from boldly.errors import BoldlyError, BudgetSpent, OracleError, OracleUnavailable, WaitingForLabels
from boldly.ledger.accounting import check_budget
from boldly.ledger.protocol import Attempt, Budget, Ledger
from boldly.oracles.protocol import Answer, Oracle, Outside, Recording
from boldly.oracles.verdicts import raised
from boldly.types import Failure, Label, Query


def answer(
    ledger: Ledger, oracle: Oracle, queries: Sequence[Query], *, budget: Budget, attempts: int = 3
) -> Generator[Label]:
    """Ask the oracle and yield each label once it is durable, in the order the answers arrive.

    Every attempt is reserved before it is sent and settled at what it cost, at its bound where nobody knows. Failures
    are asked again, up to `attempts` tries in a call; a query that still fails stays unlabelled. The queries must be
    stored in the ledger and have no label yet. An attempt that a killed process, or a caller who stops early, leaves
    open is settled by `Ledger.abandon` at the next start.

    Raises `BudgetSpent` when a further attempt would overshoot, after asking those that fit; `OracleUnavailable` if
    every attempt failed and no other query of their round has a label; `WaitingForLabels` where the verdicts come by
    themselves and have not come yet.
    """
    if queries and isinstance(oracle, Outside):
        told = ledger.spent(queries[0].account)
        if not told.open:  # one that is being told right now may be among these
            check_budget(told, min(map(oracle.bound, queries)), budget)
        raise WaitingForLabels(
            oracle.waiting_for(queries), frozenset((query.round, query.account) for query in queries)
        )
    metered = isinstance(oracle, Recording)
    asked = oracle.recording(ledger) if metered else oracle
    left = list({query.id: query for query in queries}.values())
    tries: Counter[str] = Counter()
    reason = ""
    while left:
        reserved, spent = _reserve(ledger, left, oracle, budget, metered=metered)
        if spent is not None and not reserved:
            raise spent
        done: set[str] = set()
        for said in _answers(asked, [query for query, _ in reserved.values()]):
            query, attempt = reserved[said.query.id]
            label = ledger.tell(
                attempt.id,
                said.verdict,
                source=oracle.name,
                price=said.price,
                provenance=said.provenance,
                facts=said.facts,
            )
            if isinstance(said.verdict, Failure):
                tries[query.id] += 1
                reason = said.verdict.reason
            if label is not None or tries[query.id] == attempts:
                done.add(query.id)
            if label is not None:
                yield label
        left = [query for query in left if query.id not in done]
    if queries and not _labelled(ledger, queries[0]):
        raise OracleUnavailable(
            f"every one of {attempts} attempts at each of {len(queries)} queries failed, the last with: {reason}. "
            f"Mend the oracle `{oracle.name}` and give the same command again."
        )


def _require_answer(oracle: Oracle, said: object) -> None:
    if not isinstance(said, Answer):
        raise OracleError(
            f"the oracle `{oracle.name}` yields {type(said).__name__}s; write "
            "`yield boldly.oracles.Answer(query, verdict)` in its `__call__`."
        )


def _labelled(ledger: Ledger, query: Query) -> bool:
    """Whether any query of the same round has a label, also one from before a restart: the oracle can answer."""
    asked = ledger.queries(query.round, query.account)
    return len(asked) > len(ledger.waiting(query.round, query.account))


def _reserve(
    ledger: Ledger, queries: Sequence[Query], oracle: Oracle, budget: Budget, *, metered: bool
) -> tuple[dict[str, tuple[Query, Attempt]], BudgetSpent | None]:
    """An attempt at each query that the budget admits, by query id, and the error of the first that it doesn't."""

    def reserve() -> tuple[dict[str, tuple[Query, Attempt]], BudgetSpent | None]:
        reserved: dict[str, tuple[Query, Attempt]] = {}
        for query in queries:
            try:
                attempt = ledger.reserve(query.id, bound=oracle.bound(query), budget=budget, metered=metered)
            except BudgetSpent as spent:
                return reserved, spent
            reserved[query.id] = (query, attempt)
        return reserved, None

    return ledger.together(reserve)


def _answers(oracle: Oracle, queries: Sequence[Query]) -> Iterator[Answer]:
    """The oracle's answers, with a failure for every query that it raised at or left out."""
    left = {query.id: query for query in queries}
    failure = Failure("the oracle gave no verdict")
    try:
        for said in oracle(queries):
            _require_answer(oracle, said)
            if left.pop(said.query.id, None) is not None:
                yield said
    except BoldlyError:
        raise
    except Exception as error:
        failure = raised(error)
    for query in left.values():
        yield Answer(query, failure)

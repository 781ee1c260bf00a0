"""Several threads that judge at once, and what becomes of their work when it has to end early."""

import math
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from boldly.errors import BoldlyError, OracleUnavailable
from boldly.oracles.judge.gate import Breaker, Gate, Halted
from boldly.oracles.judge.looks import Tab
from boldly.oracles.protocol import Answer
from boldly.oracles.stopping import TICK, look
from boldly.oracles.verdicts import raised
from boldly.types import Failure, Query

GRACE = 5.0
"""Seconds that calls in flight are given to come back when the caller stops."""

Ask = Callable[[Query, Tab], Answer]


def answers(ask: Ask, queries: Sequence[Query], *, workers: int, gate: Gate, breaker: Breaker) -> Iterator[Answer]:
    """Every answer as it comes, `workers` queries at once.

    When the breaker opens, nothing more is sent, what is in flight is waited for, every query that is left fails at the
    price of what was sent for it, and `OracleUnavailable` is raised. When the caller stops (Ctrl-C, a closed generator)
    nothing more is sent either, and calls in flight have `GRACE` seconds to be received.
    """
    left = {query.id: query for query in queries}
    tabs = {query_id: Tab() for query_id in left}
    waiting = deque(left.values())
    results: queue.SimpleQueue[Answer | BaseException] = queue.SimpleQueue()

    def work() -> None:
        while not gate.stopped:
            try:
                query = waiting.popleft()
                answer = _answer(ask, query, tabs[query.id])
                if breaker.reason:
                    gate.stop()
                results.put(answer)
            except (IndexError, Halted):
                return
            except BaseException as error:
                results.put(error)
                return

    threads = [threading.Thread(target=work, daemon=True, name=f"judge-{i}") for i in range(min(workers, len(left)))]
    try:
        for thread in threads if not breaker.reason else ():
            thread.start()
        while left and not breaker.reason:
            yield _taken(_next(results), left)
        gate.stop()
        gate.wait(threads, math.inf)
        while not results.empty():
            yield _taken(results.get(), left)
        for query in left.values():
            tab = tabs[query.id]
            yield Answer(query, Failure(f"not asked: {breaker.reason}"), price=tab.price)
        if breaker.reason:
            raise OracleUnavailable(f"the judge is out of reach, and nothing more was sent: {breaker.reason}.")
    finally:
        gate.stop()
        gate.wait(threads, GRACE)


def _next(results: "queue.SimpleQueue[Answer | BaseException]") -> Answer | BaseException:
    while True:
        look()
        try:
            return results.get(timeout=TICK)
        except queue.Empty:
            continue


def _taken(result: Answer | BaseException, left: dict[str, Query]) -> Answer:
    if isinstance(result, BaseException):
        raise result
    del left[result.query.id]
    return result


def _answer(ask: Ask, query: Query, tab: Tab) -> Answer:
    try:
        return ask(query, tab)
    except (BoldlyError, Halted):
        raise
    except Exception as error:
        return Answer(query, raised(error))

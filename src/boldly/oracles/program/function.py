"""An oracle that is a Python function: the checker of a task whose answers a program can compare."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from boldly.errors import OracleError
from boldly.oracles.functions import kind_of
from boldly.oracles.protocol import Answer, Reward
from boldly.oracles.verdicts import compared, number_of, raised, read_verdict
from boldly.types import Failure, Prompt, Query, Response, Verdict


class Program:
    """Asks a function: `reward(prompt, response) -> float`, or `prefer(prompt, a, b) -> verdict`.

    The function is given a `Prompt` (`.text`, `.messages`, `.facts`: the further columns of the prompts file) and
    `Response` objects (`.text`). Of two rewards the higher wins and equal ones tie; what `prefer` may return is in
    `boldly.oracles.verdicts.read_verdict`. A function that raises, hangs or returns nonsense has failed at that query.

    `timeout` is the most seconds one query may take. A Python function can't be killed, so one that hangs is left
    behind on a thread of its own, which never keeps the process from ending; it must not mind running beside the next
    call. With `timeout=None` it runs on the caller's thread and may take for ever, as a function that sets signals
    needs. `workers` is how many queries are asked at once; `price` is what one query costs.

    Raises `OracleError` for a signature that can't be asked.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        timeout: float | None = 60.0,
        workers: int = 1,
        price: float = 0.0,
    ) -> None:
        self._function = function
        self._kind = kind_of(function)
        if timeout is None and workers != 1:
            raise OracleError(f"{workers} workers need threads; write `workers: 1` or a `timeout` in seconds.")
        if (timeout is not None and timeout <= 0) or workers < 1:
            raise OracleError(
                f"timeout {timeout!r} and workers {workers!r} must be above 0; write `timeout: 60`, `workers: 1`."
            )
        self._timeout = timeout
        self._workers = workers
        self._price = price
        self._name = (
            name or f"program:{function.__module__}:{getattr(function, '__qualname__', type(function).__name__)}"
        )

    @property
    def name(self) -> str:
        return self._name

    def bound(self, query: Query) -> float:
        return self._price

    @property
    def reward(self) -> Reward | None:
        """The reward, where the function is one. It raises what the function raises, and `TimeoutError`."""
        if self._kind == "prefer":
            return None

        def reward(prompt: Prompt, response: Response) -> float:
            if self._timeout is None:
                return self._number(prompt, response)
            return _within(self._timeout, lambda: self._number(prompt, response))

        return reward

    def _number(self, prompt: Prompt, response: Response) -> float:
        try:
            return number_of(self._function(prompt, response))
        except SystemExit as error:
            raise RuntimeError(f"the function ended itself: SystemExit: {error}") from None

    def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]:
        facts = {"order": "ab"} if self._kind == "prefer" else {}
        if self._timeout is None:
            verdicts = ((query, self._verdict(query)) for query in queries)
        else:
            verdicts = _beside(self._verdict, queries, self._timeout, self._workers)
        for query, verdict in verdicts:
            yield Answer(query, verdict, facts=facts)

    def _verdict(self, query: Query) -> Verdict:
        try:
            if self._kind == "prefer":
                return read_verdict(self._function(query.prompt, query.a, query.b))
            return compared(self._function(query.prompt, query.a), self._function(query.prompt, query.b))
        except (Exception, SystemExit) as error:
            return raised(error)


@dataclass(frozen=True, slots=True)
class _Call:
    query: Query
    started: float


def _beside(
    ask: Callable[[Query], Verdict], queries: Sequence[Query], timeout: float, workers: int
) -> Iterator[tuple[Query, Verdict]]:
    """Every verdict as it comes, each asked on a thread of its own; one that takes longer than `timeout` has failed."""
    answers: queue.SimpleQueue[tuple[int, Verdict | BaseException]] = queue.SimpleQueue()

    def work(place: int, query: Query) -> None:
        try:
            answers.put((place, ask(query)))
        except BaseException as error:
            answers.put((place, error))

    waiting, running = deque(enumerate(queries)), dict[int, _Call]()
    while waiting or running:
        while waiting and len(running) < workers:
            place, query = waiting.popleft()
            running[place] = _Call(query, time.monotonic())
            threading.Thread(target=work, args=(place, query), daemon=True, name=f"oracle-{place}").start()
        first, call = min(running.items(), key=lambda item: item[1].started)
        try:
            place, answer = answers.get(timeout=max(0.0, call.started + timeout - time.monotonic()))
        except queue.Empty:
            del running[first]
            yield call.query, Failure(f"timed out after {timeout:g} s")
            continue
        if place not in running:
            continue
        if isinstance(answer, BaseException):
            raise answer
        yield running.pop(place).query, answer


def _within(timeout: float, call: Callable[[], float]) -> float:
    """What `call` returns or raises on a thread of its own. Raises `TimeoutError` after `timeout` seconds."""
    answers: queue.SimpleQueue[float | BaseException] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put(call())
        except BaseException as error:
            answers.put(error)

    threading.Thread(target=work, daemon=True, name="oracle-reward").start()
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        raise TimeoutError(f"timed out after {timeout:g} s") from None
    if isinstance(answer, BaseException):
        raise answer
    return answer

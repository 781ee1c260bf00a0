"""Labels bought beside sampling and learning: while an oracle answers one round, others are drawn and learned from.

    this thread     draw 0, 1 | fit 0, draw 2 | fit 1, draw 3 | ...
    the buyer's     .         | buy 0, buy 1  | buy 2         | ...

What is drawn and learned is counted in rounds (`Schedule.ahead`), never in time, and rounds are bought one after the
other. So a run ends with the queries, labels and weights that it would have had without a buyer.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from queue import SimpleQueue

from boldly.errors import InvalidInput
from boldly.ledger import Budget, Ledger
from boldly.oracles import Following, Oracle, Outside, Sending, answer
from boldly.oracles.stopping import look, until
from boldly.types import Label, Query

PATIENCE = 6.0
"""Seconds that an oracle has to notice that nobody waits for it any more."""


def answers_elsewhere(oracle: Oracle) -> bool:
    """Whether labels of an oracle can be bought beside everything else: somebody outside of this process is asked."""
    return isinstance(oracle, Sending) and not isinstance(oracle, Outside | Following)


@dataclass(frozen=True, slots=True)
class _Order:
    """A round to be bought: these queries of it, or all that wait when its turn comes.

    `heard` is its labels as they come, and then None or what ended it.
    """

    number: int
    oracle: Oracle
    queries: Sequence[Query] | None
    heard: SimpleQueue[Label | BaseException | None] = field(default_factory=SimpleQueue[Label | BaseException | None])


_Orders = SimpleQueue[_Order | None]


@dataclass(slots=True)
class Buyer:
    """Buys rounds on one thread, in the order they are called for; called by one thread alone.

    What goes wrong with a round is raised to who asks for that round, and nothing is bought behind it until somebody
    calls again. The oracle has to bear that it is called on another thread (see `answers_elsewhere`).
    """

    ledger: Ledger
    budget: Budget
    _begun: dict[int, _Order] = field(default_factory=dict[int, _Order], init=False)
    _orders: _Orders = field(default_factory=_Orders, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False)

    def __call__(self, oracle: Oracle, queries: Sequence[Query], rounds: Sequence[int]) -> Iterator[Label]:
        """Begin to buy these queries of the first of the rounds, and behind them all that waits in the others.

        Yields the labels of the first round as they come. One that an earlier call began is bought whole.

        Raises what `boldly.oracles.answer` raises for that round, and `InvalidInput` once it is closed.
        """
        if self._stop.is_set():
            raise InvalidInput(
                "this buyer was closed and buys nothing more; give the loop another: "
                "`loop.buyer = Buyer(loop.ledger, loop.budget)`."
            )
        for number in rounds:
            if number not in self._begun:
                self._begun[number] = _Order(number, oracle, queries if number == rounds[0] else None)
                self._orders.put(self._begun[number])
        if self._thread is None:
            self._thread = threading.Thread(target=self._buy, args=(self._orders,), daemon=True, name="buyer")
            self._thread.start()
        return self._heard(self._begun[rounds[0]])

    def close(self) -> None:
        """Stop: nothing more is bought, and an attempt that is open is left to `Ledger.abandon`."""
        self._stop.set()
        self._orders.put(None)
        if self._thread is not None:
            self._thread.join(PATIENCE)

    def _heard(self, order: _Order) -> Iterator[Label]:
        while (heard := order.heard.get()) is not None:
            if isinstance(heard, BaseException):
                self._begun, self._orders, self._thread = {}, _Orders(), None
                raise heard
            yield heard
        # Only now, so that who stopped listening and calls again hears the rest of this order and buys none twice.
        self._begun.pop(order.number, None)

    def _buy(self, orders: _Orders) -> None:
        with until(self._stop.is_set):
            while (order := orders.get()) is not None:
                try:
                    queries = self.ledger.waiting(order.number) if order.queries is None else order.queries
                    with closing(answer(self.ledger, order.oracle, queries, budget=self.budget)) as labels:
                        for label in labels:
                            order.heard.put(label)
                            look()
                except BaseException as error:
                    order.heard.put(error)
                    return
                order.heard.put(None)

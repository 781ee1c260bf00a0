"""Checking labels: a share of them is asked for again, of another oracle or of the same one the other way round."""

import random
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from boldly.errors import BudgetSpent, OracleUnavailable
from boldly.ledger import Budget, Ledger
from boldly.oracles import Oracle, Outside, answer
from boldly.randomness import derive
from boldly.types import Label, Query


@dataclass(frozen=True, slots=True)
class Checker:
    """Asks for a `share` of the labels again, in the account "consistency", each label by its own lot.

    `swapped` puts the responses the other way round, so that an oracle is asked another question than it answered.
    Nothing that it hears is trained on. Where people are asked, their queries wait and nobody waits for them.
    """

    oracle: Oracle
    ledger: Ledger
    share: float
    budget: Budget
    seed: int
    swapped: bool

    def __call__(self, t: int) -> None:
        """Check the labels of round t; those that are checked already are left alone.

        A budget that is spent and an oracle that is gone end the checks, never the run.
        """
        labels = self.ledger.labels(round=t)
        queries = [self._query(label) for label in labels if self._drawn(label)]
        self.ledger.ask(queries)
        waiting: Sequence[Query] = self.ledger.waiting(t, "consistency")
        if not isinstance(self.oracle, Outside):
            with suppress(BudgetSpent, OracleUnavailable):
                deque(answer(self.ledger, self.oracle, waiting, budget=self.budget), maxlen=0)

    def _drawn(self, label: Label) -> bool:
        return random.Random(derive(self.seed, "check", label.query.id)).random() < self.share

    def _query(self, label: Label) -> Query:
        query = replace(label.query, account="consistency")
        return replace(query, a=query.b, b=query.a) if self.swapped else query

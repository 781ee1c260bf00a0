"""All clauses of the law, and the ledger that is held to them."""

from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from boldly.ledger.protocol import Ledger
from boldly.testing.contract import Contract
from boldly.testing.ledger_contract.asking import Asking
from boldly.testing.ledger_contract.attempts import Attempts
from boldly.testing.ledger_contract.budgets import Budgets
from boldly.testing.ledger_contract.calling import Calling
from boldly.testing.ledger_contract.corrections import Corrections
from boldly.testing.ledger_contract.details import Details
from boldly.testing.ledger_contract.history import History
from boldly.testing.ledger_contract.log_probs import LogProbs
from boldly.testing.ledger_contract.prices import Prices
from boldly.testing.ledger_contract.rounds import Rounds
from boldly.testing.ledger_contract.telling import Telling
from boldly.testing.ledger_contract.threads import Threads
from boldly.testing.ledger_contract.transactions import Transactions


class LedgerContract(
    Asking,
    Telling,
    Details,
    Budgets,
    Prices,
    Attempts,
    Calling,
    Corrections,
    History,
    LogProbs,
    Rounds,
    Transactions,
    Threads,
    Contract,
    ABC,
):
    """Inherit it, and return a new ledger, kept in `folder` if it is kept anywhere, from `make`."""

    @abstractmethod
    def make(self, folder: Path) -> Ledger:
        """Return a new ledger, kept in `folder` if it is kept anywhere."""

    @pytest.fixture
    def ledger(self, tmp_path: Path, request: pytest.FixtureRequest) -> Ledger:
        made = self.make(tmp_path)
        request.addfinalizer(made.close)  # noqa: PT021 (run-time type checks hide a generator from pytest)
        return made

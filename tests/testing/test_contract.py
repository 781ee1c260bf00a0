"""A contract suite runs, or says why it can't."""

from pathlib import Path

import pytest

from boldly.errors import InvalidInput
from boldly.ledger import MemoryLedger
from boldly.testing import LedgerContract, OracleContract


@pytest.mark.parametrize("suite", [LedgerContract, OracleContract])
def test_a_suite_that_makes_nothing_is_refused(suite: type):
    with pytest.raises(InvalidInput, match=r"TestMine .* `def make\(self"):
        type("TestMine", (suite,), {})


def test_a_suite_on_another_one_makes_the_same():
    class Mine(LedgerContract):
        def make(self, folder: Path) -> MemoryLedger:
            return MemoryLedger()

    class Further(Mine):
        pass

    assert isinstance(Further().make(Path()), MemoryLedger)

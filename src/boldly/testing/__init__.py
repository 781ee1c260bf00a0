"""Contract suites: inherit the one of your part's kind, say how one is made, and pytest holds it to the law.

They need pytest: `pip install "boldly[test]"`.
"""

from boldly.testing.build import query, response, swapped
from boldly.testing.ledger_contract import LedgerContract
from boldly.testing.oracle_contract import OracleContract

__all__ = ["LedgerContract", "OracleContract", "query", "response", "swapped"]

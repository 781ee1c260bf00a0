"""What every ledger keeps: the law of `boldly.ledger.protocol.Ledger`, clause by clause."""

from boldly.testing.ledger_contract.contract import LedgerContract

__all__ = ["LedgerContract"]

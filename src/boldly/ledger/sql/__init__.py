"""The ledger that survives: SQL tables, SQLite today."""

from boldly.ledger.sql.ledger import SqlLedger

__all__ = ["SqlLedger"]

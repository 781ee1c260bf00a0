"""The ledger that survives: SQL tables in an SQLite file, or on a PostgreSQL server."""

from boldly.ledger.sql.ledger import SqlLedger

__all__ = ["SqlLedger"]

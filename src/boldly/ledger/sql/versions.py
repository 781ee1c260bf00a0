"""Which version the tables have, and how they get to the newest one. Alembic is imported only where they change."""

import threading
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, insert, inspect, select, text

from boldly.errors import StorageError
from boldly.ledger.sql import schema

MIGRATIONS = Path(__file__).with_name("migrations")
_FIRST_WITH_ALEMBIC = 2
_ONE_AT_A_TIME = threading.Lock()  # Alembic's `op` and `context` are global


def version_of(connection: Connection, name: str) -> int | None:
    """The version of the tables, None where there are none. Raises `StorageError` for one of a newer boldly."""
    if not inspect(connection).has_table(schema.meta.name):
        return None
    stored = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "schema"))
    if stored is None or int(stored) > schema.VERSION:
        raise StorageError(
            f"`{name}` was written by a newer boldly (schema {stored}, and this one knows {schema.VERSION}): "
            "upgrade boldly."
        )
    return int(stored)


def create(connection: Connection) -> None:
    """Make all tables, unless another process was faster."""
    if version_of(connection, "the ledger") is None:
        created = {"key": "created", "value": datetime.now(UTC).isoformat(timespec="seconds")}
        _migrate(connection, schema.VERSION)
        connection.execute(insert(schema.meta), created)
        if connection.dialect.name == "sqlite":
            connection.execute(text(f"PRAGMA application_id = {schema.APPLICATION_ID}"))


def step(connection: Connection) -> int:
    """Bring the tables to the next version, and return it; a version that is the newest stays."""
    version = version_of(connection, "the ledger")
    assert version is not None
    if version < schema.VERSION:
        _migrate(connection, version + 1, stamped=version if version < _FIRST_WITH_ALEMBIC else None)
    return min(version + 1, schema.VERSION)


def _migrate(connection: Connection, version: int, *, stamped: int | None = None) -> None:
    """Run the revisions up to a version; tables from before Alembic are said to be at `stamped`."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _ONE_AT_A_TIME:
        if stamped is not None:
            command.stamp(config, revision_of(stamped))
        command.upgrade(config, revision_of(version))


def revision_of(version: int) -> str:
    """The name of the revision that makes a version."""
    return f"{version:04d}"

"""Where a ledger is: the path of a file, or the URL of a schema on a PostgreSQL server."""

import importlib
import re
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from boldly.errors import ConfigError, MissingExtra

EXAMPLE = "postgresql://user@host:5432/database?schema=boldly"
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class Server:
    """A schema on a PostgreSQL server. `url` is what SQLAlchemy connects to, `name` what people are told."""

    url: URL
    schema: str
    name: str


def is_server(location: str | Path) -> bool:
    """Whether a location is a URL and not the path of a file."""
    return isinstance(location, str) and "://" in location


def parse(location: str | Path) -> Path | Server:
    """A path, or the server that `postgresql://user@host:port/database?schema=NAME` names; further keys go to libpq.

    Raises `ConfigError` for another scheme, a password, or a schema whose name isn't plain, and `MissingExtra` where
    the driver is not installed.
    """
    if not is_server(location):
        return Path(location)
    try:
        url = make_url(str(location))
    except (ArgumentError, ValueError):
        raise ConfigError(f"the location of the ledger can't be read as a URL; write it like `{EXAMPLE}`.") from None
    if url.drivername != "postgresql":
        raise ConfigError(
            f"ledgers are kept in SQLite files and on PostgreSQL servers, not at `{url.drivername}://`; write the path "
            f"of a file, or `{EXAMPLE}`."
        )
    if url.password is not None or "password" in url.query:
        raise ConfigError(
            "the location of the ledger holds a password, which would be saved with the run; take it out of the URL, "
            "and set PGPASSWORD or write it to ~/.pgpass."
        )
    schema = url.query.get("schema", "boldly")
    if not isinstance(schema, str) or not _SCHEMA.fullmatch(schema) or schema.startswith("pg_"):
        raise ConfigError(
            f"`schema={schema}` can't name a schema of boldly: write lower-case letters, digits and _, 63 at most, "
            f"none of PostgreSQL's own (pg_...), like `{EXAMPLE}`."
        )
    _see_driver()
    plain = url.difference_update_query(["schema"])
    return Server(
        url=plain.set(drivername="postgresql+psycopg"),
        schema=schema,
        name=plain.update_query_dict({"schema": schema}).render_as_string(),
    )


def _see_driver() -> None:
    try:
        importlib.import_module("psycopg")
    except ImportError as error:
        raise MissingExtra(f"a ledger on PostgreSQL needs psycopg ({error}): pip install 'boldly[postgres]'") from None

"""Ledgers on a real PostgreSQL server, one server for a process of pytest, one schema for each test."""

import itertools
import os
from collections.abc import Iterator

import pytest

from tests.support.postgres import HOW_TO_GET_IT, Postgres, binaries

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if binaries() is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_IT)
    server = Postgres.made()
    yield server
    server.remove()


@pytest.fixture
def url(postgres: Postgres) -> str:
    """The location of a ledger that doesn't exist yet."""
    return postgres.url(f"test_{next(_numbers)}")

"""What names a ledger, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from boldly.errors import ConfigError, MissingExtra
from boldly.ledger.sql import location
from boldly.ledger.sql.location import Server, parse


@pytest.mark.parametrize("path", ["ledger.sqlite", "/a b/ledger?x", Path("postgresql:")])
def test_anything_without_a_scheme_is_a_path(path: str | Path):
    assert parse(path) == Path(path)


def test_a_url_names_a_server_and_a_schema():
    found = parse("postgresql://anna@db.example:6432/labels?schema=run_7&sslmode=require")
    assert isinstance(found, Server)
    assert found.schema == "run_7"
    assert found.url.render_as_string() == "postgresql+psycopg://anna@db.example:6432/labels?sslmode=require"
    assert found.name == "postgresql://anna@db.example:6432/labels?schema=run_7&sslmode=require"


def test_the_schema_is_boldly_unless_it_is_named():
    found = parse("postgresql:///labels?host=/var/run/postgresql")
    assert isinstance(found, Server)
    assert found.schema == "boldly"


@pytest.mark.parametrize(
    "url", ["postgresql://anna:hunter2@db/labels", "postgresql://anna@db/labels?password=hunter2"], ids=["url", "key"]
)
def test_a_password_is_refused_and_never_shown(url: str):
    with pytest.raises(ConfigError, match=r"set PGPASSWORD or write it to ~/\.pgpass") as caught:
        parse(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://anna@db/labels", "sqlite:///ledger.sqlite", "postgres://anna@db/labels"])
def test_other_schemes_are_refused_with_the_line_to_write(url: str):
    with pytest.raises(ConfigError, match=r"not at `\w+://`; write .*postgresql://user@host"):
        parse(url)


def test_what_is_no_url_is_refused():
    with pytest.raises(ConfigError, match="can't be read as a URL"):
        parse("postgresql://anna@db:port/labels")


@pytest.mark.parametrize("schema", ["Run", "7", "a-b", "x" * 64, "pg_temp", 'a"; DROP', "a&schema=b"])
def test_schemas_have_plain_names(schema: str):
    with pytest.raises(ConfigError, match="can't name a schema"):
        parse(f"postgresql://anna@db/labels?schema={schema}")


def test_the_driver_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(location.importlib, "import_module", missing)
    with pytest.raises(MissingExtra, match=r"pip install 'boldly\[postgres\]'"):
        parse("postgresql://anna@db/labels")
    assert parse("ledger.sqlite") == Path("ledger.sqlite")

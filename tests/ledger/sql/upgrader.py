"""Opens a ledger in children that are killed at each step in turn, and checks it after each; see test_versions.py.

python upgrader.py DIRECTORY [OLD]   opens a copy of OLD, or makes a new ledger, and prints how many were killed
"""

import os
import shutil
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import alembic.command  # noqa: F401 (loaded once, for all children)
from sqlalchemy import Engine, event

from boldly.ledger.sql import SqlLedger, schema
from boldly.types import ACCOUNTS

STEPS = {"os.rename", "os.remove", "sqlite3.connect", "open"}


def die_at(number: int) -> None:
    """Kill this process before its `number`-th statement, commit, or change of a file."""
    left = [number]

    def step(*_: object) -> None:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", step)
    event.listen(Engine, "commit", step)
    sys.addaudithook(lambda name, _: step() if name in STEPS else None)


def version(path: Path) -> int | None:
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_master")}
        return (
            int(raw.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()[0]) if "meta" in tables else None
        )


def seen(path: Path) -> list[object]:
    with closing(SqlLedger(path)) as ledger:
        return [read(account) for read in (ledger.labels, ledger.spent) for account in ACCOUNTS]


def main(folder: Path, old: Path | None) -> None:
    first = version(old) if old is not None else None
    on_the_way = {None} if first is None else set(range(first, schema.VERSION))
    expected, killed, status = None, 0, -1
    while status != 0:
        path = folder / str(killed) / "ledger.sqlite"
        path.parent.mkdir()
        if old is not None:
            shutil.copy(old, path)
        child = os.fork()
        if not child:
            die_at(killed + 1)
            SqlLedger(path)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, -signal.SIGKILL), status
        if path.is_file():
            assert version(path) in {*on_the_way, schema.VERSION}
        found = seen(path)
        expected = expected or found
        assert found == expected
        assert version(path) == schema.VERSION
        names = {file.name for file in path.parent.iterdir()} - {
            "ledger.sqlite",
            "ledger.sqlite.lock",
            "ledger.sqlite-journal",
        }
        copies = {name: version(path.with_name(name)) for name in names}
        assert copies.items() <= {f"ledger.sqlite.schema{n}.bak": n for n in on_the_way - {None}}.items(), copies
        assert first in {None, *copies.values()}
        killed += status != 0
    print(killed)


main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)

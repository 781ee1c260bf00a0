"""What happens when the server, the network or another session fails: whole transactions are repeated, none is lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from boldly.errors import BudgetSpent, InvalidInput, StorageError
from boldly.ledger import Budget, Spent
from boldly.ledger.sql import SqlLedger, on_server, session
from boldly.testing import query
from boldly.types import Preference, Tie
from tests.support.postgres import Postgres
from tests.support.proxy import Cut, Proxy

FREE = Budget(labels=None)


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[Proxy]:
    made = Proxy(postgres.port)
    yield made
    made.close()


@pytest.fixture
def through(proxy: Proxy, postgres: Postgres, url: str) -> str:
    """The location of the same ledger, by way of the proxy."""
    return url.replace(str(postgres.port), str(proxy.port))


def raw(url: str) -> psycopg.Connection:
    place, _, schema = url.partition("?schema=")
    return psycopg.connect(place, options=f"-c search_path={schema}", autocommit=True)


def buy(ledger: SqlLedger, place: int) -> None:
    ledger.ask([query(place)])
    attempt = ledger.reserve(query(place).id, bound=0.5, budget=FREE)
    ledger.tell(attempt.id, Tie(), source="judge", price=0.5)


def wait_for(connection: psycopg.Connection, question: str, answer: object) -> None:
    until = time.monotonic() + 10
    while connection.execute(question).fetchone() != (answer,):
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_connection_lost_during_a_commit_is_looked_up(proxy: Proxy, through: str, cut: Cut):
    """Both ways the client only sees that the connection is gone; each call happens exactly once."""
    with closing(SqlLedger(through)) as ledger:
        ledger.ask([query(0), query(1)])
        for place in range(2):
            proxy.cut = cut
            attempt = ledger.reserve(query(place).id, bound=0.5, budget=Budget(labels=2, money=1.0))
            assert (attempt.id, attempt.number) == (place, 1)
            proxy.cut = cut
            label = ledger.tell(attempt.id, Preference(0.25), source="judge", price=0.5)
            assert label is not None
            assert label.sequence == place
        assert proxy.cuts == 4
        assert [label.query.place for label in ledger.labels()] == [0, 1]
        assert [ledger.attempts(query(place).id) for place in range(2)] == [1, 1]
        assert ledger.spent() == Spent(labels=2, preferences=2, money=1.0)
        with pytest.raises(BudgetSpent):
            ledger.reserve(query(1).id, bound=0.0, budget=Budget(labels=2))


def test_a_ledger_is_created_though_the_connection_is_lost_during_the_commit(proxy: Proxy, through: str):
    proxy.cut = "after"
    with closing(SqlLedger(through)) as ledger:
        assert proxy.cuts == 1
        buy(ledger, 0)
        assert ledger.spent().labels == 1


def test_a_commit_of_a_server_process_that_hangs_is_waited_for(proxy: Proxy, through: str):
    with closing(SqlLedger(through)) as ledger:
        ledger.ask([query(0)])
        attempt = ledger.reserve(query(0).id, bound=0.5, budget=FREE)
        (backend, _) = ledger._database._backend
        os.kill(backend, signal.SIGSTOP)
        proxy.cut = "after"
        threading.Timer(1.0, os.kill, (backend, signal.SIGCONT)).start()
        assert ledger.tell(attempt.id, Tie(), source="judge", price=0.5) is not None
        assert ledger.spent() == Spent(labels=1, ties=1, money=0.5)
        assert ledger.labels()[0].sequence == 0


def test_connections_that_are_cut_at_any_time_lose_nothing(proxy: Proxy, through: str):
    done = threading.Event()

    def cutting() -> None:
        while not done.wait(0.15):
            proxy.drop()

    thread = threading.Thread(target=cutting)
    with closing(SqlLedger(through)) as ledger:
        ledger.ask([query(0)])
        thread.start()
        for place in range(12):
            buy(ledger, place)
        done.set()
        thread.join()
        assert [label.sequence for label in ledger.labels()] == list(range(12))
        assert ledger.spent() == Spent(labels=12, ties=12, money=6.0)


def test_a_server_that_is_restarted_is_waited_for(postgres: Postgres, url: str):
    with closing(SqlLedger(url)) as ledger:
        buy(ledger, 0)
        postgres.stop()
        threading.Timer(0.5, postgres.start).start()
        buy(ledger, 1)
        postgres.stop()
        postgres.start()
        assert len(ledger.labels()) == 2
        assert ledger.spent() == Spent(labels=2, ties=2, money=1.0)
        with pytest.raises(StorageError, match="is held by"):
            SqlLedger(url)


def test_a_deadlock_repeats_the_whole_transaction(url: str):
    """The server ends the ledger's transaction, which waited first; the other session gets what it waited for."""
    with closing(SqlLedger(url)) as ledger, raw(url) as other:
        ledger.ask([query(0)])
        attempt = ledger.reserve(query(0).id, bound=0.5, budget=FREE)
        deadlocks = "SELECT least(deadlocks, 1) FROM pg_stat_database WHERE datname = current_database()"
        other.autocommit = False
        other.execute("LOCK TABLE verdicts IN SHARE MODE")

        def contend() -> None:
            other.execute("UPDATE accounts SET settled = settled WHERE name = 'training'")
            other.commit()

        thread = threading.Timer(0.1, contend)
        thread.start()
        assert ledger.tell(attempt.id, Tie(), source="judge", price=0.25) is not None
        thread.join()
        assert ledger.spent() == Spent(labels=1, ties=1, money=0.25)
        other.autocommit = True
        wait_for(other, deadlocks, 1)


RAISING = """
CREATE SEQUENCE tries;
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF nextval('tries') <= {times} THEN RAISE EXCEPTION 'could not serialize' USING ERRCODE = '40001'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER fail BEFORE INSERT ON verdicts FOR EACH ROW EXECUTE FUNCTION fail();
"""


def test_a_serialization_failure_repeats_the_whole_transaction(url: str):
    with closing(SqlLedger(url)) as ledger, raw(url) as other:
        ledger.ask([query(0)])
        attempt = ledger.reserve(query(0).id, bound=0.5, budget=FREE)
        other.execute(RAISING.format(times=3))
        assert ledger.tell(attempt.id, Tie(), source="judge", price=0.5) is not None
        assert ledger.spent() == Spent(labels=1, ties=1, money=0.5)
        assert other.execute("SELECT last_value FROM tries").fetchone() == (4,)


def test_tries_are_bounded_and_nothing_is_acknowledged_after_the_last(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(on_server, "PATIENCE", 0.5)
    with closing(SqlLedger(url)) as ledger, raw(url) as other:
        buy(ledger, 0)
        other.execute(RAISING.format(times=10**6))
        with pytest.raises(StorageError, match=r"(?s)could not serialize.*Nothing is acknowledged from here on"):
            buy(ledger, 1)
        other.execute("DROP TRIGGER fail ON verdicts")
        for call in (ledger.labels, ledger.spent, ledger.abandon):
            with pytest.raises(StorageError, match="could not serialize"):
                call()
    with closing(SqlLedger(url)) as ledger:
        assert [label.query.place for label in ledger.labels()] == [0]
        assert ledger.spent() == Spent(labels=1, ties=1, open=1, money=1.0)


def test_an_error_of_the_server_that_no_repeating_mends_is_told_at_once(url: str):
    with closing(SqlLedger(url)) as ledger, raw(url) as other:
        ledger.ask([query(0)])
        other.execute("ALTER TABLE attempts RENAME TO lost")
        start = time.monotonic()
        with pytest.raises(StorageError, match=r'relation "attempts" does not exist'):
            ledger.reserve(query(0).id, bound=0.0, budget=FREE)
        assert time.monotonic() - start < 5


HOLDER = "import sys, time; from boldly.ledger.sql import SqlLedger; l = SqlLedger(sys.argv[1]); print(1, flush=True)"


def test_one_process_holds_a_run_and_is_named(url: str):
    command = [sys.executable, "-c", f"{HOLDER}; time.sleep(600)", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(StorageError, match=rf"held by `boldly, process {process.pid} on .*only one process"):
            SqlLedger(url)
        with closing(SqlLedger(url, exclusive=False)) as beside, closing(SqlLedger(url, read_only=True)) as reader:
            buy(beside, 0)
            assert len(reader.labels()) == 1
        process.kill()
    with closing(SqlLedger(url)) as ledger:
        assert len(ledger.labels()) == 1


def test_a_run_that_was_taken_over_while_its_connection_was_lost_is_given_up(proxy: Proxy, through: str, url: str):
    with closing(SqlLedger(through)) as first:
        buy(first, 0)
        port, proxy.server = proxy.server, 1
        proxy.drop()
        time.sleep(0.2)
        with closing(SqlLedger(url)):
            proxy.server = port
            with pytest.raises(StorageError, match="is held by"):
                buy(first, 1)
    with closing(SqlLedger(url)) as ledger:
        assert len(ledger.labels()) == 1


def test_two_schemas_are_two_ledgers(url: str):
    with closing(SqlLedger(url)) as one, closing(SqlLedger(f"{url}_other")) as other:
        buy(one, 0)
        assert other.labels() == ()
        buy(other, 1)
        assert [label.query.place for label in one.labels()] == [0]


def test_a_reader_writes_nothing_and_needs_a_ledger(url: str):
    with pytest.raises(StorageError, match="no ledger at"):
        SqlLedger(url, read_only=True)
    with closing(SqlLedger(url)) as ledger, closing(SqlLedger(url, read_only=True)) as reader:
        buy(ledger, 0)
        assert reader.labels() == ledger.labels()
        with pytest.raises(StorageError, match="readonly"):
            reader.ask([query(1)])


def test_a_server_that_is_not_there_is_told_at_once():
    with pytest.raises(StorageError, match=r"127\.0\.0\.1:1/postgres.*can't be read or written: .*refused"):
        SqlLedger("postgresql://nobody@127.0.0.1:1/postgres")


def test_a_server_that_does_not_sync_is_refused(url: str):
    with raw(url) as other:
        other.execute("ALTER SYSTEM SET fsync = off")
        other.execute("SELECT pg_reload_conf()")
        try:
            wait_for(other, "SHOW fsync", "off")
            with pytest.raises(StorageError, match="fsync off"):
                SqlLedger(url)
        finally:
            other.execute("ALTER SYSTEM RESET fsync")
            other.execute("SELECT pg_reload_conf()")
            wait_for(other, "SHOW fsync", "on")


def test_every_commit_is_synchronous(url: str):
    with raw(url) as other:
        other.execute("ALTER ROLE boldly SET synchronous_commit = off")
        try:
            with closing(SqlLedger(url)) as ledger:
                shown = ledger._database.run(
                    lambda c: c.exec_driver_sql("SHOW synchronous_commit").scalar(), writes=False
                )
        finally:
            other.execute("ALTER ROLE boldly RESET synchronous_commit")
    assert shown == "on"


def test_a_database_in_another_encoding_is_refused(url: str):
    with raw(url) as other:
        other.execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    with pytest.raises(StorageError, match=r"encoded in LATIN1\. Make one with `createdb"):
        SqlLedger(url.replace("/postgres?", "/latin?"))


def test_a_writer_that_hangs_is_not_waited_for_without_end(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(session, "LOCK_SECONDS", 1)
    SqlLedger(url).close()
    with closing(SqlLedger(url, exclusive=False)) as ledger, raw(url) as other:
        key = session.writing_key(ledger._database._server)
        other.execute("SELECT pg_advisory_lock(%s, %s)", key)
        with pytest.raises(StorageError, match="lock timeout"):
            ledger.ask([query(0)])


def test_a_forked_child_has_to_open_its_own(url: str):
    program = f"""{HOLDER}
import os
child = os.fork()
if not child:
    try:
        l.labels()
    except Exception as error:
        print(type(error).__name__, error, flush=True)
    l.close()
    os._exit(0)
os.waitpid(child, 0)
print(l.labels())
"""
    done = subprocess.run([sys.executable, "-c", program, url], capture_output=True, text=True, check=True)
    _, child, parent = done.stdout.splitlines()
    assert child.startswith("StorageError")
    assert "open it anew in a child" in child
    assert parent == "()"


def test_an_interrupted_transaction_never_happened(url: str, monkeypatch: pytest.MonkeyPatch):
    with closing(SqlLedger(url)) as ledger:
        buy(ledger, 0)

        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("boldly.ledger.sql.spending.settle", interrupt)
            with pytest.raises(KeyboardInterrupt):
                buy(ledger, 1)
        assert ledger.spent() == Spent(labels=1, ties=1, open=1, money=1.0)
        buy(ledger, 2)
        assert [label.query.place for label in ledger.labels()] == [0, 2]


def test_names_that_no_database_holds_are_refused(url: str, tmp_path: Path):
    for location in (url, tmp_path / "ledger.sqlite"):
        with closing(SqlLedger(location)) as ledger:
            for name in ("\x00", "\ud83d"):
                with pytest.raises(InvalidInput, match="stored"):
                    ledger.record_round(0, policy=name, reference="base")
            assert ledger.rounds() == ()

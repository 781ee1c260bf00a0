"""The audit finds nothing wrong with what the ledger writes, and every single thing that is done to it afterwards."""

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import create_engine

from boldly.errors import BudgetSpent, InvalidInput, StorageError
from boldly.ledger import Budget, Step
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.verify import Audit, audit, sentences
from boldly.ledger.sql.verify.faults import SHOWN
from boldly.testing import query, response
from boldly.types import ACCOUNTS, Abstention, BothBad, Failure, Message, Preference, Prompt, Query, Tie, Verdict

BUDGET = Budget(labels=20, money=4.0)
ODD = Query(
    Prompt((Message("system", "\x00 \ud83d é"), Message("user", "")), {"z": [1, None], "a": 0.5}),
    replace(response("lone"), text="\ud83d \x00"),
    replace(response("empty"), tokens=()),
    0,
    5,
)
"""What no encoding can write, keys out of order, and no tokens at all."""


def buy(ledger: SqlLedger, asked: Query, verdict: Verdict, price: float = 0.1, **more: object) -> None:
    attempt = ledger.reserve(asked.id, bound=0.25, budget=BUDGET)
    ledger.tell(attempt.id, verdict, source="judge", price=price, **more)


def judged(ledger: SqlLedger, asked: Query, verdict: Verdict) -> None:
    """An attempt of two calls, of which the second is never received."""
    attempt = ledger.reserve(asked.id, bound=0.25, budget=BUDGET, metered=True)
    first = ledger.send(asked.id, key=f"{asked.id} ab", bound=0.125)
    ledger.receive(first, price=0.0625, answer={"text": "A"})
    ledger.send(asked.id, key=f"{asked.id} ba", bound=0.125)
    ledger.tell(attempt.id, verdict, source="judge", price=0.1875, facts={"order": "ab"})


def history(location: str | Path) -> None:
    """Two rounds with every kind of outcome, in every account, and what was learned from them."""
    with closing(SqlLedger(location)) as ledger:
        ledger.ask([*(query(place) for place in range(5)), ODD])
        ledger.record_round(0, policy="iterate-0", reference="iterate-0")
        buy(ledger, query(0), Preference(0.75), facts={"order": "both"})
        buy(ledger, query(1), Failure("HTTP 503"), price=0.0)
        judged(ledger, query(1), Tie())
        buy(ledger, query(2), BothBad(), provenance="recorded")
        buy(ledger, query(0), Preference(0.0))  # surplus
        buy(ledger, ODD, Abstention(), provenance="self_made")
        ledger.record_steps([Step(0, 0, (0, 1)), Step(0, 1, (), taken=False, reason="the loss is not finite")])
        ledger.record_iterate(1, name="iterate-1", labels=4, facts={"loss": 0.5})
        ledger.ask([query(place, round=1) for place in range(6, 9)])
        ledger.ask([query(place, account="evaluation") for place in (20, 21)])
        ledger.record_round(1, policy="iterate-1", reference="iterate-0")
        buy(ledger, query(20, account="evaluation"), Preference(1.0))
        buy(ledger, query(6, round=1), Preference(1.0))
        ledger.reserve(query(7, round=1).id, bound=0.25, budget=BUDGET)
        ledger.reserve(query(3).id, bound=0.25, budget=BUDGET, metered=True)
        ledger.send(query(3).id, key="lost", bound=0.125)
        ledger.abandon()
        buy(ledger, query(7, round=1), Tie())
        ledger.record_steps([Step(1, 0, (3, 5, 6))])
        ledger.record_iterate(2, name="iterate-2", labels=6, facts={})
        ledger.reserve(query(8, round=1).id, bound=0.25, budget=BUDGET)
        ledger.record_log_probs("iterate-1", {("p", "r"): -1.0})


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clean") / "ledger.sqlite"
    history(path)
    return path


@pytest.fixture
def path(clean: Path, tmp_path: Path) -> Path:
    """A copy of the ledger to spoil."""
    copied = tmp_path / "ledger.sqlite"
    copied.write_bytes(clean.read_bytes())
    return copied


def spoil(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("other", 1, lambda text: f"{text}x")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_what_the_ledger_writes_is_clean(clean: Path):
    found = audit(clean)
    assert found.violations == ()
    assert found.labels == 7
    assert found.used == 5
    training, evaluation, consistency = found.statements
    assert (training.totals.labels, training.totals.surplus, training.totals.failed) == (7, 1, 1)
    assert (training.totals.recorded, training.totals.self_made) == (1, 1)
    assert (training.totals.unknown, training.totals.open) == (2, 1)
    assert training.spent == training.recorded
    assert (evaluation.totals.labels, consistency.totals.labels) == (1, 0)


def test_the_sums_are_told_in_full(clean: Path):
    text = "\n".join(sentences(audit(clean)))
    assert "training: 7 answers, of which 5 bought, 1 reused and 1 self-made; 1 of them surplus." in text
    assert "1 attempts failed, 2 ended unknown; 1 open, counted as paid." in text
    assert (
        "0.7875 for answers + 0.00 for failures + 0.375 for unknown outcomes + 0.25 reserved = 1.4125, and the "
        "ledger's total is 1.4125: it adds up to the last cent."
    ) in text
    assert "In all: 8 answers - 1 surplus = 7 labels, 5 of them used in training; 1.5125 spent." in text
    assert "consistency" not in text
    assert text.endswith("Every rule of the ledger holds.")


@dataclass(frozen=True)
class Spoilt:
    """Statements that break one rule, and what the audit says of it."""

    statements: tuple[str, ...]
    table: str
    key: str
    expected: str


def one(statement: str, table: str, key: str, expected: str) -> Spoilt:
    return Spoilt((statement,), table, key, expected)


SPOILT = {
    "a budget of labels is overshot": one(
        "UPDATE attempts SET label_limit = 3 WHERE id = 4", "attempts", "4", "it is one more than 3"
    ),
    "a budget of money is overshot": one(
        "UPDATE attempts SET money_limit = 0.5 WHERE id = 4", "attempts", "4", "of 0.5"
    ),
    "a price is above its bound": one(
        "UPDATE attempts SET bound = 0.05 WHERE id = 0", "verdicts", "0", "it cost 0.1 of at most 0.05"
    ),
    "a price is changed": one(
        "UPDATE verdicts SET price = 0.2 WHERE attempt = 0", "accounts", "training", "its settled is"
    ),
    "a price is negative": one("UPDATE verdicts SET price = -0.1 WHERE attempt = 0", "verdicts", "0", "at least 0"),
    "a total is changed": one(
        "UPDATE accounts SET settled = settled + 1 WHERE name = 'training'", "accounts", "training", "its settled is"
    ),
    "surplus is not counted": one(
        "UPDATE accounts SET surplus = 0 WHERE name = 'training'", "accounts", "training", "its surplus is 0"
    ),
    "a reused label is counted as bought": one(
        "UPDATE accounts SET recorded = 0 WHERE name = 'training'", "accounts", "training", "its recorded is 0"
    ),
    "an open attempt is not counted": one(
        "UPDATE accounts SET open = 0 WHERE name = 'training'", "accounts", "training", "its open is 0"
    ),
    "an account is gone": one("DELETE FROM accounts WHERE name = 'consistency'", "accounts", "consistency", "missing"),
    "an unknown outcome counts less than its bound": one(
        "UPDATE verdicts SET price = 0 WHERE kind = 'unknown' AND price = 0.25", "verdicts", "8", "it may have cost"
    ),
    "a metered price is not that of its calls": one(
        "UPDATE verdicts SET price = 0.125 WHERE attempt = 2", "verdicts", "2", "it costs 0.125 and its calls 0.1875"
    ),
    "calls don't fit into the attempt": one(
        "UPDATE calls SET bound = 0.24 WHERE number = 1", "attempts", "2", "of the 0.25 reserved"
    ),
    "a call costs more than its bound": one(
        "UPDATE receipts SET price = 0.2 WHERE call = 0", "receipts", "0", "cost 0.2 of at most 0.125"
    ),
    "a call belongs to no attempt": one(
        "UPDATE calls SET attempt = 99 WHERE number = 1", "calls", "1", "attempt is 99"
    ),
    "an attempt is numbered wrongly": one(
        "UPDATE attempts SET number = 3 WHERE id = 2", "queries", "1", "it has 2, numbered 1 to 3"
    ),
    "an event is missing": one("UPDATE attempts SET event = 99 WHERE id = 10", "attempts", "10", "event 99 where"),
    "an attempt is settled before it is reserved": Spoilt(
        (
            "UPDATE attempts SET event = NULL WHERE id = 0",
            "UPDATE verdicts SET event = 0 WHERE attempt = 0",
            "UPDATE attempts SET event = 1 WHERE id = 0",
        ),
        "verdicts",
        "0",
        "settled at event 0 and reserved at 1",
    ),
    "a failure is a label": one("UPDATE verdicts SET kind = 'failure' WHERE attempt = 3", "labels", "2", "'failure'"),
    "an unknown outcome is a label": one(
        "UPDATE verdicts SET kind = 'unknown' WHERE attempt = 3", "labels", "2", "its verdict is 'unknown'"
    ),
    "a kind is none": one("UPDATE verdicts SET kind = 'maybe' WHERE attempt = 3", "verdicts", "3", "it is 'maybe'"),
    "a probability is above 1": one(
        "UPDATE verdicts SET probability = 1.5 WHERE attempt = 0", "verdicts", "0", "probability 1.5"
    ),
    "a preference has no probability": one(
        "UPDATE verdicts SET probability = NULL WHERE attempt = 0", "verdicts", "0", "probability None"
    ),
    "a tie has a probability": one(
        "UPDATE verdicts SET probability = 0.5 WHERE attempt = 2", "verdicts", "2", "it is 'tie' with probability 0.5"
    ),
    "a provenance is none": one(
        "UPDATE verdicts SET provenance = 'found' WHERE attempt = 3", "verdicts", "3", "'found'"
    ),
    "a label names no source": one("UPDATE verdicts SET source = '' WHERE attempt = 0", "verdicts", "0", "source"),
    "a label names no time": one("UPDATE verdicts SET time = '' WHERE attempt = 0", "verdicts", "0", "its time is ''"),
    "an order is none": one(
        """UPDATE verdicts SET facts = '{"order":"ac"}' WHERE attempt = 0""", "verdicts", "0", '{"order":"ac"}'
    ),
    "facts are cut": one("UPDATE verdicts SET facts = '{' WHERE attempt = 0", "verdicts", "0", "it has '{'"),
    "a label is of another query": one("UPDATE labels SET query = 3 WHERE sequence = 0", "labels", "0", "of query 3"),
    "a label's attempt is gone": one("UPDATE labels SET attempt = 99 WHERE sequence = 6", "labels", "6", "99"),
    "labels are numbered in another order": Spoilt(
        tuple(f"UPDATE labels SET sequence = {new} WHERE sequence = {old}" for old, new in ((0, 98), (1, 0), (98, 1))),
        "labels",
        "0",
        "told after label 1",
    ),
    "a label is gone": one("DELETE FROM labels WHERE sequence = 6", "verdicts", "10", "which has no label"),
    "a label in the middle is gone": one("DELETE FROM labels WHERE sequence = 3", "labels", "4", "no 3 before it"),
    "what came second is the label": one(
        "UPDATE labels SET attempt = 4 WHERE sequence = 0", "verdicts", "0", "before its label 0 did"
    ),
    "a prompt is changed": one(
        """UPDATE prompts SET content = '"other"' WHERE number = 0""", "prompts", "0", "its content is another"
    ),
    "a prompt's facts are cut": one("UPDATE prompts SET facts = '{' WHERE number = 5", "prompts", "5", "another"),
    "a response is changed": one(
        "UPDATE responses SET text = '\"other\"' WHERE number = 0", "responses", "0", "its content is another"
    ),
    "a token is lost": one(
        "UPDATE responses SET tokens = substr(tokens, 1, length(tokens) - 1) WHERE number = 1", "responses", "1", "id"
    ),
    "a query is moved to another round": one(
        "UPDATE queries SET round = 7 WHERE number = 0", "queries", "0", "don't make"
    ),
    "a query is about another prompt's response": one(
        "UPDATE queries SET b = (SELECT b FROM queries WHERE number = 1) WHERE number = 0", "queries", "0", "prompt 0"
    ),
    "a query is of no account": one("UPDATE queries SET account = 'x' WHERE number = 4", "queries", "4", "account 'x'"),
    "a query's response is gone": one("UPDATE queries SET a = 99 WHERE number = 0", "queries", "0", "a is 99"),
    "a step names a label that isn't": one(
        "UPDATE steps SET labels = '[0,77]' WHERE number = 0", "steps", "0, 0", "77"
    ),
    "a step names a label of evaluation": one(
        "UPDATE steps SET labels = '[4]' WHERE round = 1", "steps", "1, 0", "label 4, which is none of training"
    ),
    "a step names a later label": one("UPDATE steps SET labels = '[5]' WHERE round = 0", "steps", "0, 0", "of round 1"),
    "a step names a label its iterate came before": Spoilt(
        ("UPDATE iterates SET labels = 5 WHERE number = 2",), "steps", "1, 0", "label 6, told after"
    ),
    "a step is no list": one("UPDATE steps SET labels = '[' WHERE round = 1", "steps", "1, 0", "it names '['"),
    "a step's row goes beyond all labels": one(
        "UPDATE steps SET labels = '[[0,999999999999]]' WHERE round = 1",
        "steps",
        "1, 0",
        "it names '[[0,999999999999]]'",
    ),
    "a step's row runs backwards": one(
        "UPDATE steps SET labels = '[[6,3]]' WHERE round = 1", "steps", "1, 0", "it names '[[6,3]]'"
    ),
    "a step names a number and a half": one(
        "UPDATE steps SET labels = '[1.5]' WHERE round = 1", "steps", "1, 0", "it names '[1.5]'"
    ),
    "a step is missing": one("DELETE FROM steps WHERE round = 0 AND number = 0", "rounds", "0", "numbered 1 to 1"),
    "an iterate counts labels that aren't": one(
        "UPDATE iterates SET labels = 9 WHERE number = 2", "iterates", "2", "it counts 9 labels"
    ),
    "an iterate counts later labels": one(
        "UPDATE iterates SET labels = 5 WHERE number = 1", "iterates", "1", "there are 4 of the rounds before 1"
    ),
    "an iterate counts fewer labels than the one before it": one(
        "UPDATE iterates SET labels = 3 WHERE number = 2", "iterates", "2", "4 were told before the iterate before it"
    ),
    "an iterate is missing": one("UPDATE iterates SET number = 3 WHERE number = 2", "iterates", "3", "no 2 before"),
    "a round is missing": one("UPDATE rounds SET number = 2 WHERE number = 1", "rounds", "2", "no 1 before it"),
    "a query is missing": one("DELETE FROM queries WHERE number = 4", "queries", "5", "no 4 before it"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_whatever_is_done_to_it_is_found(name: str, path: Path):
    spoilt = SPOILT[name]
    spoil(path, *spoilt.statements)
    found = audit(path)
    assert not found.ok
    shown = [fault for violation in found.violations for fault in violation.shown]
    assert any(
        (fault.table, fault.key) == (spoilt.table, spoilt.key) and spoilt.expected in fault.what for fault in shown
    ), shown
    assert any(line.startswith(f"  {spoilt.table} {spoilt.key}: ") for line in sentences(found))
    assert "are broken" in sentences(found)[-1]


def test_only_so_many_rows_are_shown(tmp_path: Path):
    path = tmp_path / "ledger.sqlite"
    with closing(SqlLedger(path)) as ledger:
        ledger.ask([query(place) for place in range(SHOWN + 7)])
    spoil(path, "UPDATE queries SET round = 9")
    (violation,) = audit(path).violations
    assert (violation.count, len(violation.shown)) == (SHOWN + 7, SHOWN)
    assert "  and 7 more" in sentences(audit(path))


def test_money_that_does_not_add_up_is_said_to(path: Path):
    spoil(path, "UPDATE accounts SET settled = settled + 1 WHERE name = 'training'")
    assert "the ledger's total is 1.412500001: it does NOT add up." in "\n".join(sentences(audit(path)))


def test_a_damaged_page_is_told_with_what_helps(path: Path):
    content = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'labels'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    content[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(content)
    with pytest.raises(StorageError, match="boldly ledger recover"):
        audit(path)


def test_a_ledger_that_a_run_holds_is_audited_as_a_copy(path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[Path] = []

    def opened(location: str | Path, **more: bool) -> object:
        seen.append(Path(location))
        return open_database(location, **more)

    from boldly.ledger.sql.database import open_database

    monkeypatch.setattr("boldly.ledger.sql.verify.auditing.open_database", opened)
    with closing(SqlLedger(path)):
        assert audit(path).ok
    assert audit(path).ok
    assert [place == path for place in seen] == [False, True]


def test_hashing_beside_finds_the_same(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("boldly.ledger.sql.verify.auditing.BESIDE", 1)
    spoil(path, "UPDATE queries SET round = 7 WHERE number = 0")
    assert audit(path, beside=True) == audit(path)


def test_a_server_is_audited_like_a_file(url: str, clean: Path):
    history(url)
    assert audit(url) == audit(clean)
    from boldly.ledger.sql.location import Server, parse

    place = parse(url)
    assert isinstance(place, Server)
    engine = create_engine(place.url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SET search_path TO {place.schema}")
        connection.exec_driver_sql("UPDATE verdicts SET kind = 'failure', probability = NULL WHERE attempt = 0")
    engine.dispose()
    assert any("a failure is never a label" in violation.rule for violation in audit(url).violations)


VERDICTS: list[Callable[[], Verdict]] = [lambda: Preference(0.3), Tie, BothBad, Abstention, lambda: Failure("down")]
MOVES = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "tell", "call", "receive", "abandon", "step", "correct"]),
        st.integers(0, 5),
        st.integers(0, 4),
        st.sampled_from([0.0, 1e-9, 0.1, 1 / 3]),
    ),
    max_size=30,
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("empty") / "ledger.sqlite"
    SqlLedger(path).close()
    return path.read_bytes()


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MOVES)
def test_every_history_is_clean(tmp_path: Path, empty: bytes, moves: list[tuple[str, int, int, float]]):
    """What is reserved, told, called for and abandoned in any order, under a budget that is soon spent."""
    play(tmp_path / "ledger.sqlite", empty, moves)


@pytest.mark.slow
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MOVES)
def test_every_one_of_many_histories_is_clean(tmp_path: Path, empty: bytes, moves: list[tuple[str, int, int, float]]):
    play(tmp_path / "ledger.sqlite", empty, moves)


def play(path: Path, empty: bytes, moves: list[tuple[str, int, int, float]]) -> None:
    path.write_bytes(empty)
    asked = [query(place, account=ACCOUNTS[place % 3]) for place in range(6)]
    open_, calls, rounds = [], [], 0
    with closing(SqlLedger(path)) as ledger:
        ledger.ask(asked)
        for move, place, kind, price in moves:
            if move == "reserve":
                try:
                    budget = Budget(labels=4, money=1.0)
                    open_.append(ledger.reserve(asked[place].id, bound=price, budget=budget))
                except BudgetSpent:
                    continue
            elif move == "tell" and open_:
                attempt = open_.pop(place % len(open_))
                told = VERDICTS[kind]()
                ledger.tell(attempt.id, told, source="s", price=attempt.bound / 2, facts={"order": "ba"})
            elif move == "call" and open_:
                newest = max((each for each in open_ if each.query_id == open_[-1].query_id), key=lambda each: each.id)
                if not any(each == newest for each, _ in calls):
                    calls.append((newest, ledger.send(newest.query_id, key=f"{place}", bound=newest.bound)))
            elif move == "receive" and calls:
                attempt, call = calls[place % len(calls)]
                ledger.receive(call, price=attempt.bound / 3, answer={"n": place}, reason="")
            elif move == "abandon":
                ledger.abandon()
                open_.clear()
            elif move == "correct" and (told := [*ledger.labels(), *ledger.labels("evaluation")]):
                with suppress(InvalidInput):  # nothing is corrected to a failure
                    ledger.correct(told[place % len(told)].query.id, VERDICTS[kind](), source="t", facts={"n": price})
            elif move == "step":
                labels = tuple(label.sequence for label in ledger.labels())
                ledger.record_steps([Step(rounds, 0, labels)])
                ledger.record_iterate(rounds + 1, name="iterate", labels=len(labels), facts={})
                rounds += 1
    assert audit(path).violations == ()


def test_an_audit_is_a_value(clean: Path):
    assert isinstance(audit(clean), Audit)
    assert audit(clean) == audit(clean)

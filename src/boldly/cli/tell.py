"""`boldly tell`: verdicts of people into the ledger of a run, whether or not it is going on."""

import fcntl
import json as json_text
import sys
from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

from cyclopts import Parameter

from boldly.cli.locations import require_run
from boldly.cli.verdict_rows import Row, annotator_of, read_rows, said_of
from boldly.config.documents import read_document
from boldly.config.locations import CONFIG_FILE, ledger_of
from boldly.errors import BoldlyError, InvalidInput, StorageError
from boldly.ledger import Ledger, telling
from boldly.types import Query

_SHOWN = 5
"""Queries that an error names where what was written could mean more of them."""


def _no_option(kind: object, file: str | None) -> None:
    """A hyphen alone is stdin; what else begins with one was meant as an option."""
    if file and file.startswith("-") and file != "-":
        raise ValueError(f"{file} is no option: `boldly tell --help` lists them.")


def tell(
    run: Annotated[Path, Parameter(help="the run's directory")],
    file: Annotated[
        str | None,
        Parameter(
            help="rows of query_id, verdict and perhaps annotator: JSON lines or CSV; - is stdin",
            allow_leading_hyphen=True,
            validator=_no_option,
        ),
    ] = None,
    *,
    query: Annotated[str | None, Parameter(help="a query's id, or enough of its beginning")] = None,
    verdict: Annotated[
        str | None, Parameter(help="a, b, left, right, tie, both_bad, abstain, or the probability that a is better")
    ] = None,
    by: Annotated[str | None, Parameter(help="who says so, where a row names no annotator")] = None,
    order: Annotated[Literal["ab", "ba"] | None, Parameter(help="the order in which the two were shown")] = None,
    seconds: Annotated[float | None, Parameter(help="how long it took")] = None,
    note: Annotated[str | None, Parameter(help="why, in words")] = None,
    list: Annotated[bool, Parameter(negative=(), help="show the queries that wait, and tell nothing")] = False,
    json: Annotated[bool, Parameter(negative=(), help="print one JSON object")] = False,
) -> int:
    require_run(run, "tell")
    if query is None and any(value is not None for value in (verdict, order, seconds, note)):
        raise InvalidInput("a verdict is about a query: write `--query ID --verdict a`, or name a file of rows.")
    if (query is not None) + (file is not None) + list > 1:
        raise InvalidInput("a file, --query and --list are three commands: give one of them.")
    if list or (query is None and file is None and sys.stdin.isatty()):
        return _show(run, as_json=json)
    if query is not None:
        said = said_of({"verdict": verdict, "annotator": by, "order": order, "seconds": seconds, "note": note})
        if said is None:
            raise InvalidInput(f"--query {query} says nothing yet: write `--verdict a`, or b, tie, both_bad, abstain.")
        return _tell(run, "--query", [Row(0, query, said)], as_json=json)
    annotator = annotator_of(by)
    with _opened(file or "-") as lines:
        rows = (_by(row, annotator) for row in read_rows(lines))
        return _tell(run, "stdin" if file in (None, "-") else str(file), rows, as_json=json)


@dataclass(slots=True)
class _Report:
    """What became of the rows so far: how many of each outcome, and what is wrong with which of them."""

    outcomes: Counter[str] = field(default_factory=Counter[str])
    bad: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @property
    def words(self) -> str:
        counted = [
            ("stored", "stored"),
            ("surplus", "kept as surplus, as their query had a label already (it counts in the budget)"),
            ("unchanged", "told before, nothing changed"),
            ("empty", "without a verdict yet"),
            ("bad", "that can't be used"),
        ]
        counts = {**self.outcomes, "bad": len(self.bad)}
        return "; ".join(f"{counts[name]} {words}" for name, words in counted if counts.get(name)) or "no rows"


def _tell(run: Path, name: str, rows: Iterable[Row], *, as_json: bool) -> int:
    from boldly.ledger.sql import SqlLedger

    config, report = read_document(run / CONFIG_FILE).values, _Report()
    with closing(SqlLedger(ledger_of(run), exclusive=False)) as ledger:
        queries: dict[str, Query] = {}
        try:
            for row in _readable(rows, name, report):
                place = f"{name}:{row.line}" if row.line else name
                try:
                    report.outcomes[_take(ledger, run, queries, row, config)] += 1
                except InvalidInput as error:
                    _complain(report, place, error)
        except BoldlyError:
            _print(run, report, ledger, as_json=as_json)
            raise
        except KeyboardInterrupt as stop:
            stop.add_note(report.words)
            raise
        _print(run, report, ledger, as_json=as_json)
    return 2 if report.bad else 0


def _readable(rows: Iterable[Row], name: str, report: _Report) -> Generator[Row]:
    """The rows up to where the file can't be read any further."""
    try:
        yield from rows
    except InvalidInput as error:
        _complain(report, name, error)


def _take(ledger: Ledger, run: Path, queries: dict[str, Query], row: Row, config: Mapping[str, Any]) -> str:
    from boldly.config import desk

    if row.said is None:
        return "empty"
    if isinstance(row.said, InvalidInput):
        raise row.said
    query = _find(ledger, queries, row.query)
    budget, price = desk.budget(config, query.account), desk.price(config, query.account)
    with _alone(run):
        ledger.abandon(telling.HOLDER)
        return telling.tell(ledger, query, row.said, budget=budget, price=price)


def _find(ledger: Ledger, queries: dict[str, Query], beginning: str) -> Query:
    """The query whose id begins so. `queries` are those known by now; a run may have asked more since."""
    if not (exact := queries.get(beginning)):
        queries |= {query.id: query for query in telling.asked(ledger)}
        exact = queries.get(beginning)
    if exact:
        return exact
    found = [query for name, query in queries.items() if beginning and name.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise InvalidInput(
            f"no query of this run begins with {beginning!r}: `boldly tell RUN --list` shows those that wait."
        )
    names = ", ".join(query.id for query in found[:_SHOWN]) + (" and more" if len(found) > _SHOWN else "")
    raise InvalidInput(f"{beginning!r} begins {len(found)} queries, {names}: write more of the id.")


def _by(row: Row, annotator: str | None) -> Row:
    """The row with the annotator where it names none of its own."""
    if row.said is None or isinstance(row.said, InvalidInput) or row.said.annotator is not None:
        return row
    return replace(row, said=replace(row.said, annotator=annotator))


@contextmanager
def _alone(run: Path) -> Generator[None]:
    """No other process tells this run anything while the block runs."""
    try:
        file = (run / "tell.lock").open("a")
    except OSError as error:
        raise StorageError(
            f"{run}/tell.lock can't be written ({error.strerror}): make room, or mend its owner."
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(file: str) -> Generator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        lines = Path(file).open("rb")  # noqa: SIM115
    except OSError as error:
        raise InvalidInput(f"{file} can't be read ({error.strerror}): name a file of rows, or - for stdin.") from None
    with lines:
        yield lines


def _complain(report: _Report, place: str, error: InvalidInput) -> None:
    report.bad.append((place, str(error)))
    print(f"boldly: {place}: {error}", file=sys.stderr)


def _print(run: Path, report: _Report, ledger: Ledger, *, as_json: bool) -> None:
    wait = sum(1 for _ in telling.waiting(ledger))
    if as_json:
        names = ("stored", "surplus", "unchanged", "empty")
        bad = [{"place": place, "error": error} for place, error in report.bad]
        print(json_text.dumps({**{name: report.outcomes[name] for name in names}, "bad": bad, "waiting": wait}))
        return
    print(f"{report.words}. {_still(run, wait)}")


def _still(run: Path, wait: int) -> str:
    if not wait:
        return "No query waits any more: give the `boldly run` of this run again."
    return f"{wait} quer{'y waits' if wait == 1 else 'ies wait'}: `boldly tell {run} --list` shows them."


def _show(run: Path, *, as_json: bool) -> int:
    from boldly.ledger.sql import SqlLedger

    with closing(SqlLedger(ledger_of(run), read_only=True)) as ledger:
        wait = [*telling.waiting(ledger)]
    if as_json:
        print(json_text.dumps({"run": str(run), "waiting": [_row(query) for query in wait]}))
        return 0
    for query in wait:
        print(_text(query))
    print(
        _still(run, 0)
        if not wait
        else f"{len(wait)} wait. Answer with `boldly tell {run} --query ID --verdict a --by NAME`, or a file of rows."
    )
    return 0


def _row(query: Query) -> dict[str, Any]:
    return {
        "query_id": query.id,
        "account": query.account,
        "round": query.round,
        "prompt": query.prompt.text,
        "a": query.a.text,
        "b": query.b.text,
    }


def _text(query: Query) -> str:
    """A query as a terminal may show it: nothing in a response moves the cursor or hides."""
    from boldly.text import pieces

    def shown(text: str) -> str:
        safe = "".join(f"[{piece.text}]" if piece.name else piece.text for piece in pieces(text))
        return "\n".join(f"    {line}" for line in safe.split("\n"))

    parts = (("prompt", query.prompt.text), ("a", query.a.text), ("b", query.b.text))
    told = "\n".join(f"  {name}:\n{shown(text)}" for name, text in parts)
    return f"query {query.id} ({query.account}, round {query.round})\n{told}\n"

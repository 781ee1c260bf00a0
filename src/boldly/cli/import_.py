"""`boldly import`: labels of a file into the ledger of a run, or into one of their own."""

import json as json_text
import sys
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from boldly.cli.locations import Located, located
from boldly.errors import InvalidInput
from boldly.ledger import Ledger
from boldly.records import Entry, FormatName, read_entries
from boldly.records.importing import HOLDER, Outcome, import_records

_SHOWN = ("bad", "not in this run", "labelled otherwise")
_MOST_SHOWN = 20


def import_(
    file: Annotated[Path, Parameter(help="labels: .jsonl, .json or .csv")],
    into: Annotated[str, Parameter(help="the run whose queries they answer, or a ledger of their own: labels.sqlite")],
    *,
    format: Annotated[FormatName, Parameter(help="whose shape the rows have; auto goes by the first")] = "auto",
    dry_run: Annotated[bool, Parameter(negative=(), help="say what would become of each row, and store none")] = False,
    json: Annotated[bool, Parameter(negative=(), help="print one JSON object")] = False,
) -> int:
    entries = read_entries(file, format)
    found = located(into, "import FILE", new=True)
    if found.run is None and "://" not in into and Path(into).suffix != ".sqlite":
        raise InvalidInput(f"{into} is no run: name its directory, or a ledger that ends in `.sqlite`.")
    counts: Counter[str] = Counter()
    shown: list[Outcome] = []
    with _stored(entries, found, dry_run=dry_run) as outcomes:
        for outcome in outcomes:
            counts[outcome.status] += 1
            if outcome.status in _SHOWN and (json or len(shown) < _MOST_SHOWN):
                shown.append(outcome)
    if json:
        rows = [{"place": each.place, "status": each.status, "why": each.why} for each in shown]
        print(json_text.dumps({"ledger": str(found.ledger), "dry_run": dry_run, "counts": counts, "rows": rows}))
    else:
        _print(counts, shown, into, dry_run=dry_run)
    return 2 if any(counts[status] for status in _SHOWN) else 0


@contextmanager
def _stored(entries: Iterable[Entry], found: Located, *, dry_run: bool) -> Generator[Iterator[Outcome]]:
    """What becomes of each entry, as it is stored; without a ledger a dry run imports into nothing."""
    from boldly.ledger import MemoryLedger
    from boldly.ledger.lock import Lock
    from boldly.ledger.sql import SqlLedger

    if dry_run:
        there = not isinstance(found.ledger, Path) or found.ledger.is_file()
        with closing(SqlLedger(found.ledger, read_only=True) if there else MemoryLedger()) as ledger:
            yield import_records(ledger, entries, foreign=_is_foreign(found, ledger), dry_run=True)
        return
    lock = Lock(found.run / "import.lock") if found.run else None
    try:
        with closing(SqlLedger(found.ledger, exclusive=found.run is None)) as ledger:
            ledger.abandon(HOLDER)
            yield import_records(ledger, entries, foreign=_is_foreign(found, ledger))
    finally:
        if lock:
            lock.release()


def _is_foreign(found: Located, ledger: Ledger) -> bool:
    """Whether a ledger holds labels of elsewhere: it is no run's, and nothing was learned in it."""
    return found.run is None and not ledger.iterates() and not ledger.rounds()


def _print(counts: Counter[str], shown: Sequence[Outcome], into: str, *, dry_run: bool) -> None:
    for each in shown:
        print(f"boldly: {each.place}: {each.status}: {each.why}." if each.why else f"{each.place}", file=sys.stderr)
    hidden = sum(counts[status] for status in _SHOWN) - len(shown)
    if hidden:
        print(f"boldly: ... and {hidden} further rows; --json has them all", file=sys.stderr)
    said = "; ".join(f"{count} {status}" for status, count in counts.items())
    print(f"{'Would be in' if dry_run else 'In'} {into}: {said or 'no rows'}.")

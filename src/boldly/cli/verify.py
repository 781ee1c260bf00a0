"""`boldly verify`."""

import json as to_json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from boldly.cli.locations import located
from boldly.ledger.protocol import Iterate
from boldly.ledger.sql.verify import Audit, Fault, collected

WHOLE = "an iterate that is there is whole, and is the one that the ledger counted (I7)"
KEPT = "an iterate that the ledger counted is there, but for the newest"


def verify(
    run: Annotated[str, Parameter(help="the run's directory, or its ledger: a file or a PostgreSQL URL")],
    *,
    json: Annotated[bool, Parameter(negative=(), help="print one JSON object")] = False,
) -> int:
    from boldly.errors import StorageError
    from boldly.ledger.sql.verify import audit, sentences

    where = located(run, "verify")
    location, folder = where.ledger, where.run
    found = audit(location, beside=True)
    if folder is not None:
        found = replace(found, violations=(*found.violations, *collected(_iterates(folder / "iterates", location))))
    print(to_json.dumps(_as_json(found)) if json else "\n".join(sentences(found)))
    return 0 if found.ok else StorageError.exit_code


def _iterates(root: Path, location: str | Path) -> list[Fault]:
    """What is wrong with the iterates' directories, each verified by its manifest, byte for byte."""
    from contextlib import closing

    from boldly.errors import StorageError
    from boldly.ledger.sql import SqlLedger
    from boldly.lm.checkpoint import name_of, numbers
    from boldly.lm.checkpoint import verify as verified

    there = numbers(root)  # before the ledger is read, where an iterate is counted before it is kept
    with closing(SqlLedger(location, read_only=True)) as ledger:
        counted = {iterate.number: iterate for iterate in ledger.iterates()}
    faults: list[Fault] = []
    for number in there:
        try:
            facts = verified(root / name_of(number)).facts
        except StorageError as error:
            faults.append(Fault(WHOLE, "iterates/", name_of(number), str(error)))
        else:
            faults += [Fault(WHOLE, "iterates/", name_of(number), what) for what in _other(facts, counted.get(number))]
    return faults + _lost(counted, there)


def _other(facts: Any, counted: Iterate | None) -> Sequence[str]:
    """How the manifest of an iterate differs from its row in the ledger."""
    if counted is None:
        return ["the ledger doesn't know it"]
    said = (facts.get("name"), facts.get("facts", {}).get("labels", counted.labels))
    row = (counted.name, counted.labels)
    return [] if said == row else [f"it says {said[0]!r} of {said[1]} labels, the ledger {row[0]!r} of {row[1]}"]


def _lost(counted: dict[int, Iterate], there: Sequence[int]) -> list[Fault]:
    """Iterates that aren't there: the newest may not be kept yet, and the base has no directory."""
    newest = max(counted, default=0)
    return [
        Fault(KEPT, "iterates", str(number), "its directory is not there")
        for number in sorted(counted)
        if 0 < number < newest and number not in there
    ]


def _as_json(audit: Audit) -> dict[str, Any]:
    return {
        "ok": audit.ok,
        "labels": audit.labels,
        "used": audit.used,
        "corrected": audit.corrected,
        "undated": audit.undated,
        "accounts": {
            statement.account: {
                **asdict(statement.totals.spent),
                "bought": statement.totals.spent.bought,
                "spent_billionths": statement.spent,
                "recorded_billionths": statement.recorded,
            }
            for statement in audit.statements
        },
        "violations": [asdict(violation) for violation in audit.violations],
    }

"""`boldly export`."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from boldly.cli.status import require_run


def export(
    run: Annotated[Path, Parameter(help="the run's directory")],
    *,
    format: Annotated[
        Literal["jsonl"], Parameter(help="rows of prompt, chosen, rejected and all the ledger knows")
    ] = "jsonl",
    output: Annotated[Path | None, Parameter(alias="-o", help="the file to write; stdout if not given")] = None,
) -> int:
    from boldly.ledger.export import export as export_rows
    from boldly.ledger.sql import SqlLedger

    del format  # the one there is, named so that a script stays right when there are more
    require_run(run, "export")
    with closing(SqlLedger(run / "ledger.sqlite", read_only=True)) as ledger:
        count = export_rows(ledger, output or sys.stdout)
    if output:
        print(f"{count} labels in {output}", file=sys.stderr)
    return 0

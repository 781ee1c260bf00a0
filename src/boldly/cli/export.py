"""`boldly export`."""

import io
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from boldly.errors import InvalidInput

Format = Literal["jsonl", "csv", "trl", "dataset", "waiting", "argilla", "labelstudio"]


def export(
    run: Annotated[str, Parameter(help="the run's directory, or a ledger")],
    *,
    format: Annotated[
        Format,
        Parameter(
            help="jsonl and csv: every label and all that is known of it; trl: preferences to train on; dataset: a "
            "directory for the Hub; waiting: the queries without a label; argilla, labelstudio: these as tasks"
        ),
    ] = "jsonl",
    output: Annotated[
        Path | None, Parameter(alias="-o", help="the file to write, or the directory of a dataset; stdout if not given")
    ] = None,
) -> int:
    from boldly.cli.locations import located
    from boldly.ledger.export import export as export_rows
    from boldly.ledger.export import export_dataset, export_preferences, export_waiting
    from boldly.ledger.sql import SqlLedger

    found = located(run, "export")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # what is written for other tools is UTF-8, whatever the terminal is
    target, where, further = output or sys.stdout, output or "stdout", ""
    with closing(SqlLedger(found.ledger, read_only=True)) as ledger:
        if format == "dataset":
            if output is None:
                raise InvalidInput("a dataset is a directory: write `--format dataset -o DIR`.")
            count, what = export_dataset(ledger, output, about=_about(found.config)), "labels"
        elif format == "trl":
            exported = export_preferences(ledger, target)
            count, what, further = exported.rows, "preferences", _left_out(exported.left_out)
        elif format in ("jsonl", "csv"):
            count, what = export_rows(ledger, target, format=format), "labels"
        else:
            seed = int(found.config.get("seed") or 0)
            count, what = export_waiting(ledger, target, format=format, seed=seed), "waiting queries"
    if output or format == "trl":
        print(f"{count} {what} in {where}{further}", file=sys.stderr)
    return 0


def _left_out(left_out: Mapping[str, int]) -> str:
    """What a file to train on has no row for: it is in the other formats."""
    if not left_out:
        return ""
    names = {"tie": "ties", "both_bad": "both bad", "abstention": "abstentions"}
    counts = ", ".join(f"{count} {names.get(kind, f'of {kind}')}" for kind, count in left_out.items())
    return f" ({counts} left out; `--format jsonl` has them)"


def _about(config: Mapping[str, Any]) -> Any:
    """What the card of a data set says of the run, without a directory of this machine."""
    from boldly.ledger.export import About

    if not config:
        return About()
    oracle = config.get("oracle")
    said = {
        "recipe": config.get("recipe"),
        "model": PurePath(str(config.get("model"))).name if config.get("model") else None,
        "oracle": oracle.get("name") if isinstance(oracle, dict) else oracle,
        "budget": config.get("budget"),
        "seed": config.get("seed"),
    }
    made = {name: str(value) for name, value in said.items() if value is not None}
    return About(f"Preferences bought with {config.get('recipe')}", made)

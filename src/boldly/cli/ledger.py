"""`boldly ledger`: what is done to a ledger as a whole."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from boldly.cli.locations import located

ledger = App(name="ledger", help="Copy a ledger, back it up, or save the labels of a damaged one.")


@ledger.command(usage="Usage: boldly ledger copy SOURCE TARGET")
def copy(
    source: Annotated[str, Parameter(help="a run's directory, a ledger's file, or postgresql://...?schema=NAME")],
    target: Annotated[str, Parameter(help="the same, and it must hold nothing yet")],
    /,
) -> int:
    """Copy a whole ledger between SQLite and PostgreSQL, either way, in one transaction, and compare both.

    It ends with 0 when both hold the same, 2 where the target holds something already (nothing was written), 5 where
    either can't be read or written, or a run goes on in it.
    """
    from boldly.ledger.sql.copying import copy as copied
    from boldly.ledger.sql.location import is_server

    location = located(source, "ledger copy").ledger
    destination = target if is_server(target) else _file_of(Path(target))
    content = copied(location, destination)
    for name, table in content.items():
        print(f"{name:<12}{table.rows:>12}  {table.digest:064x}"[:58])
    print(_what_to_write(destination), file=sys.stderr)
    return 0


@ledger.command(usage="Usage: boldly ledger backup RUN FILE")
def backup(
    run: Annotated[str, Parameter(help="the run's directory, or its ledger's file")],
    file: Annotated[Path, Parameter(help="the file to write; it must not be there yet")],
    /,
) -> int:
    """Copy the ledger of a run, which may be going on, to another file, whole or not at all.

    It ends with 0 when done, 2 where the file is there already or the ledger is on a server, 5 where either can't be
    read or written.
    """
    from boldly.errors import InvalidInput
    from boldly.ledger.sql.backup import back_up_to

    location = located(run, "ledger backup").ledger
    if not isinstance(location, Path):
        raise InvalidInput(
            f"the ledger of {run} is on a server: write `pg_dump`, or `boldly ledger copy {location} FILE` while no "
            "run goes on."
        )
    size = back_up_to(location, file)
    print(f"{size} bytes in {file}", file=sys.stderr)
    return 0


@ledger.command(usage="Usage: boldly ledger recover FILE TARGET")
def recover(
    file: Annotated[Path, Parameter(help="the damaged SQLite file; it is left as it is")],
    target: Annotated[Path, Parameter(help="the file to write the labels to, as `boldly export` writes them")],
    /,
) -> int:
    """Save the labels of a damaged ledger: every one whose rows can still be read and are what their ids say.

    It ends with 0 when every label is saved, 5 where some are lost, or corrections of some, or the file can't be read
    at all.
    """
    from boldly.errors import StorageError
    from boldly.ledger.sql.recover import recover as recovered

    found = recovered(file, target)
    print(f"{found.labels} of {found.known} labels are in {target}", file=sys.stderr)
    if not found.certain:
        print(
            "Corrections of labels are lost, and nothing tells of which: some of these may say what was said before.",
            file=sys.stderr,
        )
    return 0 if found.labels >= found.known and found.certain else StorageError.exit_code


def _file_of(path: Path) -> Path:
    """The file that a path means: itself, or the one in a run's directory, wherever that run has its ledger now."""
    from boldly.config.locations import LEDGER_FILE

    return path / LEDGER_FILE if path.is_dir() else path


def _what_to_write(destination: str | Path) -> str:
    from boldly.config.locations import CONFIG_FILE, LEDGER_FILE

    if isinstance(destination, str):
        return (
            "Both hold the same. To go on there, give `boldly run` this key, in its file or as a flag:\n"
            f"  ledger: {destination}"
        )
    if (destination.parent / CONFIG_FILE).is_file() and destination.name == LEDGER_FILE:
        return "Both hold the same. To go on there, run it without the key `ledger`."
    return (
        f"Both hold the same. To go on there, let {destination} be {LEDGER_FILE} in the run's directory, and run it "
        "without the key `ledger`."
    )

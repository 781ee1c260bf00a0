"""The people of a run's page: who is to have a link, who has one, and what each of them labelled."""

import getpass
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from boldly.cli.verdict_rows import annotator_of
from boldly.config.documents import read_document
from boldly.config.locations import CONFIG_FILE, ledger_of
from boldly.errors import InvalidInput
from boldly.ledger import telling
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.desk import Annotator, Desk


@dataclass(frozen=True, slots=True)
class People:
    """Who a command is about: the owner by name, those who are to have a link, and those whose link ends.

    `named` says that the owner named themselves, and is not known by their login alone.
    """

    owner: str
    share: tuple[str, ...] = ()
    revoke: tuple[str, ...] = ()
    named: bool = True


def people(owner: str | None, share: Sequence[str] | None, revoke: Sequence[str] | None) -> People:
    """Names as they were given, several to a flag or several flags; the owner is the login if nobody else is named.

    Raises `InvalidInput` for what is no name.
    """
    me = annotator_of(owner if owner is not None else _login())
    assert me is not None
    found = People(me, _names(share), _names(revoke), named=owner is not None)
    for name in {*found.share, *found.revoke} & {me}:
        raise InvalidInput(f"{name} is your own name, whose link is yours: write `--name` with another for yourself.")
    return found


def admit(desk: Desk, wanted: People) -> Annotator:
    """Revoke and admit those who are named, and return the owner: whoever named themselves, else the first of the run.

    Raises `InvalidInput` for a name that nobody has, and where the owner's is somebody else's.
    """
    known = {one.name: one for one in desk.annotators()}
    for name in wanted.revoke:
        if name in known and known[name].owner:
            raise InvalidInput(f"{name} is who runs this, and that link stays: write `--revoke` with another name.")
    first = next((one for one in known.values() if one.owner and not one.revoked), None)
    other = known.get(wanted.owner) if wanted.named or first is None else None
    if other is not None and not other.owner and not other.revoked:
        raise InvalidInput(
            f"{wanted.owner} has a link of this run, and would see the dashboard with it: write `--name` with another "
            f"name for yourself, or `--revoke {wanted.owner}` first."
        )
    for name in wanted.share:
        if name in known and known[name].owner:
            raise InvalidInput(f"{name} is who runs this, and that link shows the dashboard: `--share` another name.")
    for name in wanted.revoke:
        desk.revoke(name)
    for name in wanted.share:
        desk.admit(name)
    return desk.admit(wanted.owner, owner=True) if wanted.named or first is None else first


def summary(run: Path) -> str:
    """What is kept, by whom, and what waits, in a line."""
    budget = read_document(run / CONFIG_FILE).values.get("budget")
    with closing(SqlLedger(ledger_of(run), read_only=True)) as ledger:
        labels = ledger.labels()
        waiting = sum(1 for _ in telling.waiting(ledger))
    by = Counter(label.source.removeprefix("people:") for label in labels)
    whose = ", ".join(f"{name} {count}" for name, count in by.most_common())
    pairs = "1 pair waits" if waiting == 1 else f"{waiting} pairs wait"
    return f"{len(labels)} of {budget} labels are kept" + (f" ({whose})" if whose else "") + f", {pairs}"


def _names(given: Sequence[str] | None) -> tuple[str, ...]:
    words = [word.strip() for one in given or () for word in one.split(",")]
    return tuple(dict.fromkeys(str(annotator_of(word)) for word in words))


def _login() -> str:
    with suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return "owner"

"""`boldly label`: a page on which people label a run, and the training of it beside the page."""

import socket
import sys
import time
import webbrowser
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from boldly.config.documents import read_document
from boldly.config.locations import CONFIG_FILE, ledger_of
from boldly.errors import InvalidInput, StorageError

if TYPE_CHECKING:
    from boldly.cli.label_people import People
    from boldly.cli.links import Place
    from boldly.cli.training import Trainer
    from boldly.ledger.sql import SqlLedger

_ALONE = Parameter(negative=())
_LOOK = 0.5
_OPEN_SECONDS = 30.0


def label(
    run: Annotated[
        str | None,
        Parameter(
            help="the run's directory, which is made if it is new; runs/people-seed0 if not given",
            allow_leading_hyphen=True,
        ),
    ] = None,
    *further: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[Path | None, Parameter(help="a YAML file of keys, for a run that is new")] = None,
    share: Annotated[
        list[str] | None, Parameter(help="make a personal link for somebody: `--share ann,ben`", negative=())
    ] = None,
    revoke: Annotated[
        list[str] | None, Parameter(help="take somebody's link away; what they labelled is kept", negative=())
    ] = None,
    name: Annotated[str | None, Parameter(help="your own name as an annotator; your login if not given")] = None,
    host: Annotated[str, Parameter(help="where to listen; 0.0.0.0 is every network of this machine")] = "127.0.0.1",
    port: Annotated[int | None, Parameter(help="8765 or the next that is free, if not given")] = None,
    url: Annotated[
        str | None, Parameter(help="what a proxy in front is called: `--url https://label.example.org`")
    ] = None,
    open: Annotated[bool, _ALONE, Parameter(help="open your link in a browser")] = False,
    no_train: Annotated[bool, _ALONE, Parameter(help="serve the page alone, and let another process train")] = False,
) -> int:
    from boldly.cli.label_people import people, summary
    from boldly.cli.label_words import wanted
    from boldly.cli.links import place
    from boldly.cli.training import Trainer
    from boldly.web.serving import listen

    asked, who, where = wanted(run, further, config), people(name, share, revoke), place(host, port, url)
    if asked.new and no_train:
        raise InvalidInput(f"{asked.run} is no run yet, and `--no-train` makes none: leave it away.")
    if asked.new and who.revoke:
        raise InvalidInput(
            f"{asked.run} is no run yet, so nobody has a link to it: name the run, or leave `--revoke` away."
        )
    if not asked.new and _told_already(asked.run, who, port):
        return 0
    try:
        with (
            listen(where.host, where.port) as listener,
            closing(Trainer(asked.run, asked.words, changes=asked.changes, idle=no_train, say=_say)) as trainer,
        ):
            trainer.look()
            if code := trainer.until_begun():
                return code
            _serve(asked.run, who, where, listener, trainer, open=open)
    except KeyboardInterrupt as stop:
        if (asked.run / CONFIG_FILE).is_file():
            again = where.command(asked.run, *(["--no-train"] if no_train else []), *(["--name", name] if name else []))
            stop.add_note(f"{summary(asked.run)}; this goes on:\n  {again}")
        raise
    return 0


def _told_already(run: Path, who: "People", port: int | None) -> bool:
    """Whether nothing is left to do, as the page of this run is there and all that was asked for are links to it.

    Raises `InvalidInput` for a run that nobody labels, for names that can't be, and where a second page would be served
    by mistake.
    """
    from boldly.cli.label_people import admit
    from boldly.cli.links import listing
    from boldly.cli.page import elsewhere
    from boldly.config.desk import rules
    from boldly.ledger.sql import SqlLedger
    from boldly.ledger.sql.desk import Desk
    from boldly.web.tokens import key_of

    about, page = rules(run), elsewhere(run)
    if not about.accounts:
        oracle = read_document(run / CONFIG_FILE).values["oracle"]["name"]
        raise InvalidInput(
            f"the labels of {run} come from `{oracle}`, and people have nothing to label there: write `boldly label "
            f"DIR` for a run of their own, or `boldly label DIR --config FILE` for one with the keys in FILE."
        )
    if who.share or who.revoke:
        with closing(SqlLedger(ledger_of(run), exclusive=False)) as ledger:
            desk = Desk(ledger, about)
            me = admit(desk, who)
            for name in who.revoke:
                _say(f"{name} has no link any more; what was labelled with it is kept.")
            if page is not None:
                print(listing(page.base, key_of(run), desk.annotators(), me))
        return page is not None
    if page is not None and port is None:
        raise InvalidInput(
            f"{run} has its page at {page.base}, served by {page.holder}: `--share NAME` prints links to it, and "
            "`--no-train --port N` serves another one beside it."
        )
    return False


def _serve(
    run: Path,
    who: "People",
    where: "Place",
    listener: socket.socket,
    trainer: "Trainer",
    *,
    open: bool,
) -> None:
    """Serve the page and look after the training until something is raised, as Ctrl-C is."""
    from boldly.cli.label_people import admit
    from boldly.cli.links import link_of, listing
    from boldly.cli.news import News
    from boldly.cli.page import noted, served
    from boldly.cli.page_settings import page_settings
    from boldly.config.desk import rules
    from boldly.ledger.sql.desk import Desk
    from boldly.web.app import create_app

    base, about = where.base(listener), rules(run)
    with ExitStack() as stack:
        ledger = stack.enter_context(closing(_opened(run, trainer)))
        desk = Desk(ledger, about)
        me, settings = admit(desk, who), page_settings(run, where.names, ledger, desk, about)
        stack.enter_context(noted(run, base))
        page = stack.enter_context(served(create_app(desk, settings), listener))
        everyone = [one for one in desk.annotators() if not one.revoked]
        _say(f"the page of {run} is open; each line is somebody's personal link, and Ctrl-C stops it:")
        print(listing(base, settings.key, everyone, me), flush=True)
        if warning := where.warning(shared=len(everyone) > 1):
            _say(f"note: {warning}")
        if open:
            webbrowser.open(link_of(base, settings.key, me))
        news = News(run)
        while not page.done():
            trainer.look()
            for line in news.look():
                _say(line)
            time.sleep(_LOOK)
        page.result()


def _opened(run: Path, trainer: "Trainer") -> "SqlLedger":
    """The ledger, which whoever trains may be making or bringing to a newer schema right now."""
    from boldly.ledger.sql import SqlLedger

    deadline = time.monotonic() + _OPEN_SECONDS
    while True:
        try:
            return SqlLedger(ledger_of(run), exclusive=False)
        except StorageError:
            if not trainer.held or time.monotonic() > deadline:
                raise
        time.sleep(_LOOK)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

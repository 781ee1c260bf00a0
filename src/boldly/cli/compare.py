"""`boldly compare`: two finished models answer the same prompts, and people say blindly which answer is better."""

import shlex
import sys
import time
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from boldly.cli.flags import texts
from boldly.config.locations import LEDGER_FILE
from boldly.errors import ConfigError, InvalidInput, WaitingForLabels
from boldly.types import content_id

if TYPE_CHECKING:
    from boldly.cli.label_people import People
    from boldly.cli.links import Place
    from boldly.config.comparing import ComparisonConfig, Given
    from boldly.ledger.sql.desk import Rules

_ALONE = Parameter(negative=())
_PASSED_ON = ("overlap", "planted_rate", "repeat_rate", "lease_seconds")
_LOOK = 0.5
_REST = 5.0
"""Seconds that the page stays after the last pair is judged, so that this choice too can be taken back."""


def compare(
    a: Annotated[
        str,
        Parameter(
            help="a model: a run's directory or a model's, `bundled`, or a name on the Hub; alone, the directory of a "
            "comparison, to see what it found"
        ),
    ],
    b: Annotated[str | None, Parameter(help="the model to set beside it")] = None,
    *further: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    prompts: Annotated[
        Path | None,
        Parameter(
            help="a .jsonl, .txt or .csv file; the held-out prompts of the run, or the bundled ones, if not given"
        ),
    ] = None,
    prompt_column: Annotated[str, Parameter(help="the column of the file that holds the prompt")] = "prompt",
    labels: Annotated[int | None, Parameter(help="prompts that are compared; all of them if not given")] = None,
    max_tokens: Annotated[int | None, Parameter(help="length limit of an answer; the run's if not given")] = None,
    temperature: Annotated[float | None, Parameter(help="1 is the model itself; the run's if not given")] = None,
    seed: Annotated[int | None, Parameter(help="of everything that is drawn at random; 0 if not given")] = None,
    overlap: Annotated[int | None, Parameter(help="people who judge each pair; 1 if not given")] = None,
    money: Annotated[float | None, Parameter(help="what the labels of an oracle may cost in all")] = None,
    output: Annotated[
        Path | None, Parameter(alias="-o", help="the comparison's directory; comparisons/A-vs-B if not given")
    ] = None,
    share: Annotated[
        list[str] | None, Parameter(help="make a personal link for somebody: `--share ann,ben`", negative=())
    ] = None,
    revoke: Annotated[
        list[str] | None, Parameter(help="take somebody's link away; what they judged is kept", negative=())
    ] = None,
    name: Annotated[str | None, Parameter(help="your own name as an annotator; your login if not given")] = None,
    host: Annotated[str, Parameter(help="where to listen; 0.0.0.0 is every network of this machine")] = "127.0.0.1",
    port: Annotated[int | None, Parameter(help="8765 or the next that is free, if not given")] = None,
    url: Annotated[
        str | None, Parameter(help="what a proxy in front is called: `--url https://label.example.org`")
    ] = None,
    open: Annotated[bool, _ALONE, Parameter(help="open your link in a browser")] = False,
    no_serve: Annotated[bool, _ALONE, Parameter(help="draw the answers and show the figures, without a page")] = False,
    json: Annotated[bool, _ALONE, Parameter(help="end with one JSON object on stdout")] = False,
) -> int:
    from boldly.cli.comparison_view import require_comparison, show

    if b is None:
        optional = (
            prompts,
            labels,
            max_tokens,
            temperature,
            seed,
            overlap,
            money,
            output,
            share,
            revoke,
            name,
            port,
            url,
        )
        _show(Path(a), json=json, more=bool(further) or open or no_serve or any(x is not None for x in optional))
        return 0

    from boldly.cli.label_people import people
    from boldly.cli.links import place
    from boldly.config.comparing import Given, default_directory

    given = Given(prompts, prompt_column, labels, money, max_tokens, temperature, seed, _oracle(further, overlap))
    folder, who, where = output or default_directory(a, b), people(name, share, revoke), place(host, port, url)
    again = _command(a, b, output, where)
    if not no_serve and _is_served(folder, who, port):
        return 0
    _prepare(a, b, folder, given, again)
    try:
        _judge(folder, who, where, serve=not no_serve, open=open)
    except KeyboardInterrupt as stop:
        stop.add_note(f"every label is kept, and this goes on:\n  {again}")
        raise
    finally:
        found = show(folder, as_json=json)
    if found.left and require_comparison(folder).oracle.name == "people":
        raise WaitingForLabels(
            f"{found.left} of {found.pairs} pairs wait for people; this serves their page:\n  {again}"
        )
    return 0


def _show(folder: Path, *, json: bool, more: bool) -> None:
    """Print what a comparison found and, where pairs wait for people, the line that serves their page.

    Raises `InvalidInput` where `more` was asked for, which needs that line.
    """
    from boldly.cli.comparison_view import require_comparison, show

    begun = require_comparison(folder)
    goes_on = shlex.join(["boldly", "compare", begun.a.model, begun.b.model, "--output", str(folder)])
    if more:
        raise InvalidInput(f"{folder} alone shows what was found: write the rest behind `{goes_on}`.")
    shown = show(folder, as_json=json)
    if shown.left and begun.oracle.name == "people":
        _say(f"{shown.left} of {shown.pairs} pairs wait for people; this serves their page:\n  {goes_on}")


def draw(a: str, b: str, folder: Path, given: "Given", tell: Callable[[str], None]) -> None:
    """Begin a comparison or take it up, and draw the answers that are missing; for a process of its own."""
    from boldly.config.comparing import begun_comparison, writing
    from boldly.config.finished import find_model

    found = find_model(a), find_model(b)
    begun = begun_comparison(folder, *found, given)
    for note in begun.notes:
        tell(f"note: {note}")
    if begun.config.drawn < begun.config.labels:
        from boldly.runner.comparing import draw

        draw(folder, begun, *found, tell)
    elif begun.config != begun.before:
        with writing(folder, begun):
            pass


def _prepare(a: str, b: str, folder: Path, given: "Given", again: str) -> None:
    from boldly.cli.apart import apart

    try:
        apart(draw, a, b, folder, given, tell=_say)
    except KeyboardInterrupt as stop:
        stop.add_note(f"the answers that were drawn are kept, and this goes on:\n  {again}")
        raise


def _oracle(further: tuple[str, ...], overlap: int | None) -> Mapping[str, str] | None:
    """What was said of who judges, as keys of a configuration. Raises `ConfigError` for other keys."""
    keys = texts({}, further)
    for key in keys:
        if key.split(".")[0] != "oracle":
            raise ConfigError(f"--{key}: is no option of `boldly compare`: `boldly compare --help` lists them.")
    if overlap is not None:
        keys["oracle.overlap"] = str(overlap)
    return keys or None


def _command(a: str, b: str, output: Path | None, where: "Place") -> str:
    """The line that goes on with this comparison."""
    words = ["boldly", "compare", a, b, *(["--output", str(output)] if output else [])]
    words += ["--host", where.host] if where.host != "127.0.0.1" else []
    words += ["--port", str(where.port)] if where.port is not None else []
    words += ["--url", where.url] if where.url is not None else []
    return shlex.join(words)


def _rules(config: "ComparisonConfig") -> "Rules":
    """What the page needs to know: pairs of the account "evaluation", as long as the money lasts.

    Labels have no limit of their own: there is one for each pair, and what comes second to a pair takes none away.
    """
    from boldly.ledger import Budget
    from boldly.ledger.sql.desk import Rules
    from boldly.oracles.people import planted_records

    options = config.oracle.options
    planted = options.get("planted")
    return Rules(
        budgets={"evaluation": Budget(None, config.money)},
        prices={"evaluation": options.get("price", 0.0)},
        accounts=("evaluation",),
        seed=config.seed,
        planted=planted_records(planted) if planted else (),
        **{name: options[name] for name in _PASSED_ON if name in options},
    )


def _judge(folder: Path, who: "People", where: "Place", *, serve: bool, open: bool) -> None:
    """Have the pairs judged: by people on their page, until all are judged or something is raised, or by an oracle."""
    from boldly.cli.comparison_view import require_comparison

    config = require_comparison(folder)
    if config.oracle.name != "people":
        from boldly.runner.comparing import judge

        _say(f"{config.oracle.name} judges the pairs")
        judge(folder, config)
    elif serve:
        _serve(folder, config, who, where, open=open)


def _is_served(folder: Path, who: "People", port: int | None) -> bool:
    """Whether there is nothing to serve, as the comparison's page is there and all that was asked for are links to it.

    Raises `InvalidInput` where another page would be served by mistake.
    """
    from boldly.cli.label_people import admit
    from boldly.cli.links import listing
    from boldly.cli.page import elsewhere
    from boldly.config.comparing import saved_comparison
    from boldly.ledger.sql import SqlLedger
    from boldly.ledger.sql.desk import Desk
    from boldly.web.tokens import key_of

    config, page = saved_comparison(folder), elsewhere(folder)
    if config is None or page is None:
        return False
    if who.share or who.revoke:
        with closing(SqlLedger(folder / LEDGER_FILE, exclusive=False)) as ledger:
            desk = Desk(ledger, _rules(config))
            me = admit(desk, who)
            print(listing(page.base, key_of(folder), desk.annotators(), me))
        return True
    if port is None:
        raise InvalidInput(
            f"{folder} has its page at {page.base}, served by {page.holder}: `--share NAME` prints links to it, and "
            "`--port N` serves another one beside it."
        )
    return False


def _serve(folder: Path, config: "ComparisonConfig", who: "People", where: "Place", *, open: bool) -> None:
    """Serve the page until every pair is judged or something is raised, as Ctrl-C is."""
    from boldly.cli.comparison_view import drawn_answers
    from boldly.cli.label_people import admit
    from boldly.cli.links import link_of, listing
    from boldly.cli.page import noted, served
    from boldly.cli.page_settings import remembered
    from boldly.ledger.sql import SqlLedger
    from boldly.ledger.sql.desk import Desk
    from boldly.metrics.comparison import left_to_judge
    from boldly.web.app import create_app
    from boldly.web.dashboard import Dashboard
    from boldly.web.serving import listen
    from boldly.web.settings import Settings, Stage
    from boldly.web.tokens import key_of

    with ExitStack() as stack:
        ledger = stack.enter_context(closing(SqlLedger(folder / LEDGER_FILE, exclusive=False)))
        answers = drawn_answers(folder, config)

        def left() -> int:
            return left_to_judge(ledger.labels("evaluation"), *answers)

        if not left():
            return
        rules = _rules(config)
        desk = Desk(ledger, rules)
        state = remembered(lambda: Stage("labelling" if left() else "ended"))
        me, key, options = admit(desk, who), key_of(folder), config.oracle.options
        listener = stack.enter_context(listen(where.host, where.port))
        base = where.base(listener)
        stack.enter_context(noted(folder, base))
        settings = Settings(
            run=f"comparison-{content_id(str(folder.resolve()))[:8]}",
            key=key,
            hosts=where.names,
            state=state,
            dashboard=Dashboard(folder, ledger, desk, rules, state, compares=True),
            confirm=bool(options.get("confirm")),
            strength=bool(options.get("strength")),
            reason=bool(options.get("reason")),
            compares=True,
        )
        page = stack.enter_context(served(create_app(desk, settings), listener))
        print(listing(base, key, desk.annotators(), me), flush=True)
        if warning := where.warning(shared=len(desk.annotators()) > 1):
            _say(f"note: {warning}")
        if open:
            webbrowser.open(link_of(base, key, me))
        ended: float | None = None
        while not page.done() and (ended is None or time.monotonic() < ended + _REST):
            ended = None if left() else ended or time.monotonic()
            time.sleep(_LOOK)
        if page.done():
            page.result()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

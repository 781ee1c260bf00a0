"""`boldly status`: what the files of a run say, without loading its model."""

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from boldly.cli.locations import require_training
from boldly.cli.view import interval
from boldly.config.locations import CONFIG_FILE, LEDGER_FILE
from boldly.errors import InvalidInput
from boldly.ledger.lock import holder_of, is_held
from boldly.progress import Interval, Record
from boldly.text import flat
from boldly.types import ACCOUNTS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from boldly.ledger.sql import SqlLedger


def status(
    run: Annotated[Path | None, Parameter(help="the run's directory; the newest in runs/ if not given")] = None,
    *,
    json: Annotated[bool, Parameter(negative=(), help="print one JSON object")] = False,
) -> int:
    found = read_status(run or newest_run(Path("runs")))
    print(_as_json(found) if json else _as_text(found))
    return 0


def newest_run(folder: Path) -> Path:
    """The run in `folder` whose ledger was written last."""
    ledgers = sorted(folder.glob(f"*/{LEDGER_FILE}*"), key=lambda path: path.stat().st_mtime)
    if not ledgers:
        raise InvalidInput(f"there is no run in {folder}/: write `boldly status DIR`, or start one with `boldly run`.")
    return ledgers[-1].parent


def read_status(run: Path) -> dict[str, Any]:
    """Where a run stands: its labels by what they came to, and how its newest and its best iterate do.

    Raises `InvalidInput` for a directory that holds no run.
    """
    from boldly.config.desk import page
    from boldly.config.documents import read_document
    from boldly.ledger.sql import SqlLedger
    from boldly.metrics import plain, read

    location = require_training(run, "status")
    config = read_document(run / CONFIG_FILE).values
    with closing(SqlLedger(location, read_only=True)) as ledger:
        spent = {account: ledger.spent(account) for account in ACCOUNTS}
        waiting = ledger.unanswered()
        labelling = _labelling(ledger)
    training = spent["training"]
    records = read(run / "metrics.jsonl")
    judged = [record for record in records if record.evaluation is not None]
    return {
        "run": str(run),
        "state": _state(run, config.get("budget")),
        "recipe": config.get("recipe"),
        "ledger": config.get("ledger") or str(run / LEDGER_FILE),
        "labels": training.labels,
        "bought": training.bought,
        "budget": config.get("budget"),
        "waiting": waiting,
        "labelling": labelling,
        "people": bool(page(config)),
        "open": training.open,
        "failed": training.failed,
        "unknown": training.unknown,
        "money": sum(account.money for account in spent.values()),
        "money_limit": config.get("money"),
        "money_training": training.money,
        "evaluation_labels": spent["evaluation"].labels,
        "consistency_labels": spent["consistency"].labels,
        "iterates": records[-1].iterate if records else 0,
        "newest": plain(_figures(judged[-1])) if judged else None,
        "base": plain(_figures(judged[0])) if judged and judged[0].iterate == 0 else None,
        "model": _there(run / "model"),
        "report": _there(run / "report.html"),
    }


def _labelling(ledger: "SqlLedger") -> list[str]:
    """The names of those who have a pair on their page at this moment."""
    from boldly.ledger.sql.desk import annotators, clock, leasing

    def look(connection: "Connection") -> list[str]:
        held = {one.annotator for one in leasing.standing(connection, clock.clock(connection))}
        return [one.name for one in annotators.everyone(connection) if one.number in held]

    return ledger.read(look)


def _figures(record: Record) -> Mapping[str, Any]:
    evaluation = record.evaluation
    assert evaluation is not None
    names = ("reward", "win_rate", "kl_policy", "kl_reference", "length")
    return {"iterate": record.iterate, "labels": record.labels, **{name: getattr(evaluation, name) for name in names}}


def _state(run: Path, budget: object) -> str:
    """Whether a process holds the run, it ended under this budget, or it was stopped on its way."""
    lock = run / f"{LEDGER_FILE}.lock"
    if is_held(lock):
        return f"running, {holder_of(lock)}"
    found = ended(run, budget)
    if found is None:
        return "stopped, the same command continues"
    return "ended before its labels, as the money is spent" if found.get("short") else "done"


def ended(run: Path, budget: object) -> Mapping[str, Any] | None:
    """What a run ended with under this budget; None where it has not."""
    try:
        found = json.loads((run / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if found.get("budget") == budget else None


def _there(path: Path) -> str | None:
    return str(path) if path.exists() else None


def _labels(found: Mapping[str, Any]) -> str:
    reused = found["labels"] - found["bought"]
    return (
        f"{found['labels']} of {found['budget']}"
        + (f", {reused} of them not bought" if reused else "")
        + (f", {found['open']} on their way" if found["open"] else "")
    )


def _money(found: Mapping[str, Any]) -> str:
    """What the training labels cost, of what they may cost, and what the other accounts did beside."""
    training, limit = found["money_training"], found["money_limit"]
    beside = found["money"] - training
    return (
        f"{training:g}"
        + (f" of {limit:g}" if limit is not None else "")
        + (f", and {beside:g} beside" if beside else "")
    )


def _as_json(found: Mapping[str, Any]) -> str:
    return json.dumps(found)


def _as_text(found: Mapping[str, Any]) -> str:
    rows = [
        ("run", f"{found['run']} (recipe {found['recipe']})"),
        ("state", found["state"]),
        ("labels", _labels(found)),
    ]
    if found["waiting"]:
        shows = f": `boldly label {found['run']}` shows them to people" if found["people"] else ""
        rows.append(("waiting", f"{found['waiting']} queries without a label{shows}"))
    if found["labelling"]:
        rows.append(("labelling", ", ".join(flat(name) for name in found["labelling"])))
    if found["failed"] or found["unknown"]:
        unknown = f", {found['unknown']} with an unknown end" if found["unknown"] else ""
        rows.append(("failed", f"{found['failed']} attempts without an answer{unknown}"))
    beside = [f"{found[f'{name}_labels']} {name}" for name in ("evaluation", "consistency") if found[f"{name}_labels"]]
    if beside:
        rows.append(("beside", ", ".join(beside)))
    if found["money"]:
        rows.append(("money", _money(found)))
    if newest := found["newest"]:
        shown = {name: Interval(**value) if isinstance(value, dict) else None for name, value in newest.items()}
        rows += [
            ("iterate", f"{newest['iterate']}, after {newest['labels']} labels"),
            ("reward", interval(shown["reward"])),
            ("win rate", f"{interval(shown['win_rate'])} against the base"),
            ("KL", f"{interval(shown['kl_policy'])} from the base, {interval(shown['kl_reference'])} to it, in nats"),
            ("length", f"{interval(shown['length'], 1)} tokens"),
        ]
    rows += [(name, found[name]) for name in ("model", "report") if found[name]]
    return "\n".join(f"{name:<10}{value}" for name, value in rows)

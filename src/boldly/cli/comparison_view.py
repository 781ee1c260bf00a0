"""What a comparison found, as text and as JSON."""

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from boldly.cli.view import interval
from boldly.config.comparing import ANSWERS_FILE, ComparisonConfig, saved_comparison
from boldly.config.locations import COMPARISON_FILE, LEDGER_FILE
from boldly.errors import InvalidInput
from boldly.ledger.sql import SqlLedger
from boldly.metrics import plain
from boldly.metrics.answers import read_answers
from boldly.metrics.comparison import Comparison, compared
from boldly.types import Response


def require_comparison(folder: Path) -> ComparisonConfig:
    """The comparison in a directory. Raises `InvalidInput` where there is none."""
    found = saved_comparison(folder)
    if found is None:
        raise InvalidInput(
            f"{folder} holds no comparison (no {COMPARISON_FILE}): write `boldly compare A B` with two models, or "
            "`boldly compare DIR` with what `--output` named."
        )
    return found


def show(folder: Path, *, as_json: bool) -> Comparison:
    """Print what a comparison found so far, and return it."""
    config = require_comparison(folder)
    found = figures(folder, config)
    print(_as_json(folder, config, found) if as_json else "\n".join(_lines(folder, config, found)))
    return found


def figures(folder: Path, config: ComparisonConfig) -> Comparison:
    """What the labels of a comparison say so far; before any pair was put up, of no labels."""
    a, b = drawn_answers(folder, config)
    if not (folder / LEDGER_FILE).is_file():
        return compared([], a, b, horizon=config.horizon)
    with closing(SqlLedger(folder / LEDGER_FILE, read_only=True)) as ledger:
        return compared(ledger.labels("evaluation"), a, b, horizon=config.horizon)


def drawn_answers(folder: Path, config: ComparisonConfig) -> tuple[list[Response], list[Response]]:
    """The answers of both models to those prompts of the comparison that both have answered."""
    answers = read_answers(folder / ANSWERS_FILE)
    count = min(config.labels, len(answers["a"]), len(answers["b"]))
    return answers["a"][:count], answers["b"][:count]


def _as_json(folder: Path, config: ComparisonConfig, found: Comparison) -> str:
    about = {"comparison": folder, "a": config.a.model, "b": config.b.model, "prompts": config.prompts}
    settings = {name: getattr(config, name) for name in ("labels", "max_tokens", "temperature", "seed")}
    return json.dumps(plain({**about, **settings, "oracle": config.oracle.name, "left": found.left} | asdict(found)))


def _lines(folder: Path, config: ComparisonConfig, found: Comparison) -> list[str]:
    rows = [
        ("comparison", str(folder)),
        ("a", config.a.model),
        ("b", config.b.model),
        ("judged", f"{found.judged} of {found.pairs} pairs{_of_people(config)}"),
        ("a better", str(found.won)),
        ("b better", str(found.lost)),
        ("ties", f"{found.ties}{_identical(found)}"),
        ("both bad", str(found.both_bad)),
    ]
    if found.abstained:
        rows.append(("skipped", str(found.abstained)))
    if found.win_rate is None:
        return _set([*rows, ("win rate", "not known, as nobody has said which answer is better")])
    rows += [
        ("win rate", f"{interval(found.win_rate)} of a over b, a tie counting half"),
        ("any time", f"{interval(found.anytime)}, which also holds for who looks often and stops when they like"),
        ("length", _controlled(found)),
    ]
    if found.agreement is not None:
        alpha = "" if found.agreement.alpha is None else f", Krippendorff's alpha {found.agreement.alpha:.2f}"
        rows.append(("agreement", f"{interval(found.agreement.share)} between people on the same pair{alpha}"))
    return _set(rows)


def _set(rows: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{name:<12}{value}" for name, value in rows]


def _of_people(config: ComparisonConfig) -> str:
    overlap = config.oracle.options.get("overlap", 1)
    if config.oracle.name != "people":
        return f", by {config.oracle.name}"
    return f", each by {overlap} people" if overlap > 1 else ""


def _identical(found: Comparison) -> str:
    if not found.identical:
        return ""
    one = found.identical == 1
    return f", and {found.identical} prompt{' that was' if one else 's that were'} answered with the same text"


def _controlled(found: Comparison) -> str:
    """The win rate without the effect of length, and the effect."""
    longer = f"; the longer answer won {interval(found.longer_won)}" if found.longer_won else ""
    lengths = (
        f"a {found.length_a.value:.0f} characters, b {found.length_b.value:.0f}"
        if found.length_a and found.length_b
        else ""
    )
    if found.controlled is None:
        return f"{lengths}{longer}; what equal lengths would give can't be told from these pairs"
    return f"{interval(found.controlled.rate)} if answers were equally long ({lengths}){longer}"

"""The card of a data set: what its labels are, who gave them, what they cost, and how they came about."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from boldly.ledger.words import word_of
from boldly.types import Account, Label, Preference, preference_of

_SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)


@dataclass(frozen=True, slots=True)
class About:
    """What the ledger can't say of itself: a title, and how the run was made, as a table of words."""

    title: str = "Preferences"
    made: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class Tally:
    """What is counted of labels while they are written."""

    kinds: Counter[tuple[Account, str]] = field(default_factory=Counter[tuple[Account, str]])
    sources: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    said: dict[tuple[str, frozenset[str]], list[str]] = field(
        default_factory=dict[tuple[str, frozenset[str]], list[str]]
    )
    labels: int = 0

    def add(self, label: Label, source: str) -> None:
        """Count a label whose source is called `source`."""
        self.labels += 1
        self.kinds[label.query.account, word_of(label.verdict)] += 1
        self.sources[source, label.provenance] += 1
        pair = (label.query.prompt.id, frozenset((label.query.a.id, label.query.b.id)))
        self.said.setdefault(pair, []).append(_winner(label))

    @property
    def repeated(self) -> tuple[int, int]:
        """Pairs that have several labels, and those of them whose labels all say the same."""
        several = [said for said in self.said.values() if len(said) > 1]
        return len(several), sum(len(set(said)) == 1 for said in several)


def render(tally: Tally, splits: Mapping[Account, str], money: Mapping[Account, float], about: About) -> str:
    """README.md of the data set: a YAML header for the Hub, in which the licence is to be filled in, then Markdown."""
    parts = [
        _header(tally, splits, about),
        f"# {about.title}",
        "Comparisons of two responses to one prompt, exported from the ledger of a run of boldly. `prompt`, `chosen` "
        "and `rejected` are the columns of TRL's preference format; `chosen` and `rejected` are null where neither was "
        "better. `a`, `b` and `p_a`, the probability that `a` is better, hold every label. People are pseudonyms.",
        f"## Labels\n\n{_kinds(tally, splits)}",
        f"## Who gave them\n\n{_sources(tally)}",
        _agreement(tally),
        f"## What they cost\n\n{_money(money)}",
    ]
    if about.made:
        made = "\n".join(f"| {_cell(name)} | {_cell(value)} |" for name, value in about.made.items())
        parts.append(f"## How they were made\n\n| | |\n|---|---|\n{made}")
    return "\n\n".join(parts) + "\n"


def _header(tally: Tally, splits: Mapping[Account, str], about: About) -> str:
    files = [f"      - split: {name}\n        path: data/{name}.jsonl" for name in splits.values()]
    lines = [
        "---",
        f"pretty_name: {json.dumps(about.title)}",
        "license: unknown # fill in before publishing",
        "task_categories:\n  - text-generation",
        "tags:\n  - boldly\n  - preference",
        f"size_categories:\n  - {_size(tally.labels)}",
        "configs:\n  - config_name: default\n    data_files:",
        *files,
        "---",
    ]
    return "\n".join(lines if files else [line for line in lines if not line.startswith("configs")])


def _size(labels: int) -> str:
    low, *_ = [size for size in (0, *_SIZES) if size <= labels][::-1]
    high = next((size for size in _SIZES if size > labels), None)
    short = {0: "0", 1_000: "1K", 10_000: "10K", 100_000: "100K", 1_000_000: "1M", 10_000_000: "10M"}
    if not low:
        return "n<1K"
    return f"{short[low]}<n<{short[high]}" if high else "10M<n<100M"


def _kinds(tally: Tally, splits: Mapping[Account, str]) -> str:
    rows = [
        f"| {splits[account]} | {kind.replace('_', ' ')} | {count} |" for (account, kind), count in tally.kinds.items()
    ]
    return "\n".join(["| split | verdict | labels |", "|---|---|---:|", *rows, f"| all | | {tally.labels} |"])


def _sources(tally: Tally) -> str:
    rows = [
        f"| {_cell(source)} | {provenance.replace('_', ' ')} | {count} |"
        for (source, provenance), count in tally.sources.most_common()
    ]
    return "\n".join(["| source | provenance | labels |", "|---|---|---:|", *rows])


def _agreement(tally: Tally) -> str:
    several, same = tally.repeated
    if not several:
        return "No pair has more than one label, so agreement is not known."
    return f"{several} pairs have several labels; in {same} of them ({same / several:.0%}) all say the same."


def _money(money: Mapping[Account, float]) -> str:
    rows = [f"| {account} | {spent:g} |" for account, spent in money.items() if spent]
    if not rows:
        return "Nothing."
    total = sum(money.values())
    table = "\n".join(["| account | money |", "|---|---:|", *rows, f"| all | {total:g} |"])
    return f"{table}\n\nIn the currency of the oracle's price, attempts that failed included."


def _winner(label: Label) -> str:
    p = preference_of(label.verdict)
    if p is None or not isinstance(label.verdict, Preference) or p == 0.5:
        return "tie" if p == 0.5 else word_of(label.verdict)
    return label.query.a.id if p > 0.5 else label.query.b.id


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

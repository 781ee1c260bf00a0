"""Labels and money, for whoever pays: what came in, from whom, what it cost, and whether it adds up."""

from collections.abc import Sequence

from boldly.ledger.protocol import Spent
from boldly.report.blocks import Block, Figure, Figures, Section, Table
from boldly.report.bought import labels_of
from boldly.report.data import Purchase, RunData
from boldly.report.numbers import NONE, count, money, percent
from boldly.report.plots import Line, lines
from boldly.text import flat
from boldly.types import ACCOUNTS, Account

PURPOSES: dict[Account, str] = {
    "training": "training",
    "evaluation": "held-out evaluation",
    "consistency": "checks of labels",
}
ORIGINS = {"bought": "bought", "recorded": "reused", "self_made": "self-made"}

_CURRENCY = "in the currency of its prices"
_DRAWN = 400
"""Points of the cost curve; more can't be told apart on a screen."""


def money_section(run: RunData) -> Section:
    """The totals of every account, with the sums that they must be, and who gave the labels for how much."""
    blocks: list[Block] = [_accounts(run)]
    if run.books.purchases:
        blocks.append(_sources(run.books.purchases))
    if run.books.costs and run.books.costs[-1]:
        blocks.append(Figures([_cost(run.books.costs)]))
    words = (_paid(run), _free(run), _adding_up(run))
    return Section("ledger", "Labels and money", [text for text in words if text], blocks)


def _accounts(run: RunData) -> Table:
    used: list[Account] = [
        name for name in ACCOUNTS if name == "training" or run.books.spent.get(name, Spent()) != Spent()
    ]
    shown = [(PURPOSES[name], run.books.spent.get(name, Spent())) for name in used]
    rows = [
        ("preferences", [count(s.preferences) for _, s in shown]),
        ("ties", [count(s.ties) for _, s in shown]),
        ("both bad", [count(s.both_bad) for _, s in shown]),
        ("abstentions", [count(s.abstentions) for _, s in shown]),
        ("labels in all", [count(s.labels) for _, s in shown]),
        ("· bought", [count(s.bought) for _, s in shown]),
        ("· reused", [count(s.recorded) for _, s in shown]),
        ("· self-made", [count(s.self_made) for _, s in shown]),
        ("· surplus", [count(s.surplus) for _, s in shown]),
        ("failed attempts", [count(s.failed) for _, s in shown]),
        ("end unknown", [count(s.unknown) for _, s in shown]),
        ("still open", [count(s.open) for _, s in shown]),
        ("money", [money(s.money) for _, s in shown]),
        ("for each bought", [money(s.money / s.bought) if s.bought else NONE for _, s in shown]),
    ]
    return Table(
        ["", *(name for name, _ in shown)],
        [[name, *values] for name, values in rows],
        "Labels in all are the four kinds above. Surplus came second to its query; an attempt whose end is unknown or "
        "that is still open counts with the most that it may cost",
    )


def _sources(purchases: Sequence[Purchase]) -> Table:
    return Table(
        ["source", "for", "how", "labels", "money", "each"],
        [
            [
                flat(one.source),
                PURPOSES[one.account],
                ORIGINS[one.provenance],
                count(one.labels),
                money(one.money),
                money(one.money / one.labels),
            ]
            for one in sorted(purchases, key=lambda one: (ACCOUNTS.index(one.account), -one.money, -one.labels))
        ],
        "Who gave the labels that count, and what those cost",
    )


def _cost(costs: Sequence[float]) -> Figure:
    places = sorted({round(i * (len(costs) - 1) / (_DRAWN - 1)) for i in range(_DRAWN)})
    first, last = costs[0], costs[-1]
    tenths = sorted({max(1, round(len(costs) * tenth / 10)) for tenth in range(1, 11)})
    return Figure(
        "cost",
        "What the training labels had cost",
        "Each label with its own price, in the order of purchase: where the line is steep, labels were dear. What "
        "attempts without a label cost is not in it.",
        lines(
            [Line("cost", [0.0, *(i + 1.0 for i in places)], [0.0, *(costs[i] for i in places)])],
            x_title="labels",
            y_title=f"money, {_CURRENCY}",
            yaxis={"rangemode": "tozero"},
        ),
        Table(
            ["labels", "money so far", "each on average"],
            [[count(labels), money(costs[labels - 1]), money(costs[labels - 1] / labels)] for labels in tenths],
            f"From {money(first)} for the first label to {money(last)} for all of them",
        ),
    )


def _paid(run: RunData) -> str:
    """Where the money went, summed by what came of it."""
    spent, useful = run.books.money, sum(one.money for one in run.books.purchases)
    if not spent:
        return "Nothing was paid for labels."
    rest = spent - useful
    kinds = (("failed", "failed"), ("unknown", "of unknown end"), ("surplus", "surplus"), ("open", "still open"))
    totals = [(sum(getattr(one, kind) for one in run.books.spent.values()), word) for kind, word in kinds]
    without = ", ".join(f"{count(attempts)} {word}" for attempts, word in totals if attempts)
    if not without or rest < 1e-9:
        return f"Labels cost {money(spent)} {_CURRENCY}, and every part of it bought a label that counts."
    return (
        f"Labels cost {money(spent)} {_CURRENCY}: {money(useful)} for labels that count and {money(rest)} "
        f"({percent(rest / spent)}) for attempts without one ({without}). What may have been paid counts as paid."
    )


def _free(run: RunData) -> str:
    """Labels that cost nothing, so that nobody takes them for bought ones."""
    said = []
    reused, made = (sum(getattr(one, kind) for one in run.books.spent.values()) for kind in ("recorded", "self_made"))
    if reused:
        said.append(f"{_labels(reused)} reused from a record and cost nothing here.")
    if made:
        said.append(f"{_labels(made)} made by the policy itself: that is what it believes, not what is good.")
    return " ".join(said)


def _labels(labels: int) -> str:
    return "1 label was" if labels == 1 else f"{count(labels)} labels were"


def _adding_up(run: RunData) -> str:
    spent = run.training
    parts = [spent.preferences, spent.ties, spent.both_bad, spent.abstentions]
    by_round = labels_of(run.rounds)
    if sum(parts) == spent.labels and by_round == spent.labels - spent.surplus:
        surplus = f" Without {count(spent.surplus)} second answers" if spent.surplus else " They"
        return (
            f"It adds up: {' + '.join(count(part) for part in parts)} = {count(spent.labels)} labels.{surplus} "
            f"{'these ' if spent.surplus else ''}are the {count(by_round)} labels of the rounds above. "
            "`boldly verify` adds up every attempt, to the last cent."
        )
    return (
        f"It does not add up: the totals name {count(spent.labels)} labels, {count(spent.surplus)} of them surplus, "
        f"but the rounds hold {count(by_round)}. `boldly verify` names the rows; compare `boldly export` with your "
        "invoices before you rely on it."
    )

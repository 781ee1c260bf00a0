"""What each round bought, and whether the ledger adds up."""

from boldly.ledger.protocol import Spent
from boldly.metrics import OUTCOMES
from boldly.report.blocks import Figure, Figures, Section, Table
from boldly.report.data import RoundData, RunData
from boldly.report.numbers import NONE, count, number, percent
from boldly.report.plots import PALETTE, Line, bars, lines

WORDS = {
    "preference": "preferences",
    "tie": "ties",
    "both_bad": "both bad",
    "abstention": "abstentions",
    "failed": "failed attempts",
    "skipped": "left without a label",
}


def rounds_section(run: RunData) -> Section | None:
    """The outcomes round by round, and how often the policy had known better."""
    if not run.rounds:
        return None
    shown = [name for name in OUTCOMES if any(one.bought.get(name, 0) for one in run.rounds)] or ["preference"]
    numbers = [float(one.number) for one in run.rounds]
    attempts = [name for name in shown if name != "skipped"]
    stacks = {WORDS[name]: [float(one.bought.get(name, 0)) for one in run.rounds] for name in attempts}
    table = Table(
        ["round", *(WORDS[name] for name in shown), "equal texts", "foreseen by the policy"],
        [
            [str(one.number), *(count(one.bought.get(name, 0)) for name in shown), count(one.identical), _foreseen(one)]
            for one in run.rounds
        ],
    )
    figures = [
        Figure(
            "outcomes",
            "What the attempts of each round came to",
            "Each attempt asks which of two answers is better. One that failed bought nothing, and its query may be "
            "asked again.",
            bars(numbers, stacks, x_title="round", y_title="attempts"),
            table,
        )
    ]
    foreseen = [one for one in run.rounds if one.predictable]
    if foreseen:
        figures.append(
            Figure(
                "foreseen",
                "How many verdicts the policy had foreseen",
                "The share of a round's preferences that went to the answer which training had made likelier. At one "
                "half the labels tell the policy something new; near one they tell it what it knew.",
                lines(
                    [
                        Line(
                            "foreseen",
                            [float(one.number) for one in foreseen],
                            [one.predicted / one.predictable for one in foreseen],
                            colour=PALETTE[2],
                        )
                    ],
                    x_title="round",
                    y_title="share of preferences",
                    yaxis={"range": [-0.02, 1.04], "tickformat": ".0%"},
                ),
                Table(
                    ["round", "foreseen", "of preferences"],
                    [[str(one.number), _foreseen(one), count(one.predictable)] for one in foreseen],
                ),
            )
        )
    return Section("rounds", "What each round bought", [], [Figures(figures)])


def ledger_section(run: RunData) -> Section:
    """The totals of every account, with the sums that they must be."""
    accounts = [("training", run.training), ("evaluation", run.evaluation)]
    shown = [(name, spent) for name, spent in accounts if name == "training" or spent != Spent()]
    rows = [
        ("preferences", [count(s.preferences) for _, s in shown]),
        ("ties", [count(s.ties) for _, s in shown]),
        ("both bad", [count(s.both_bad) for _, s in shown]),
        ("abstentions", [count(s.abstentions) for _, s in shown]),
        ("labels, the sum of these", [count(s.labels) for _, s in shown]),
        ("of them second answers to a query (surplus)", [count(s.surplus) for _, s in shown]),
        ("attempts that failed or were given up", [count(s.failed) for _, s in shown]),
        ("attempts still open", [count(s.open) for _, s in shown]),
        ("money", [number(s.money) for _, s in shown]),
    ]
    return Section(
        "ledger",
        "The ledger",
        [
            "Every label that was paid for is in the ledger with its query, its source, its price and its time. A "
            "failed attempt is never counted as a preference.",
            _adding_up(run),
        ],
        [Table(["", *(name for name, _ in shown)], [[name, *values] for name, values in rows])],
    )


def _adding_up(run: RunData) -> str:
    spent = run.training
    parts = [spent.preferences, spent.ties, spent.both_bad, spent.abstentions]
    by_round = sum(one.bought.get(name, 0) for one in run.rounds for name in OUTCOMES[:4])
    if sum(parts) == spent.labels and by_round == spent.labels - spent.surplus:
        surplus = f" Without {count(spent.surplus)} second answers" if spent.surplus else " They"
        return (
            f"It adds up: {' + '.join(count(part) for part in parts)} = {count(spent.labels)} labels.{surplus} "
            f"{'these ' if spent.surplus else ''}are the {count(by_round)} labels of the rounds above."
        )
    return (
        f"It does not add up: the totals name {count(spent.labels)} labels, {count(spent.surplus)} of them surplus, "
        f"but the rounds hold {count(by_round)}. Compare `boldly export` with your invoices before you rely on it."
    )


def _foreseen(one: RoundData) -> str:
    return percent(one.predicted / one.predictable) if one.predictable else NONE

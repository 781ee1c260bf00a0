from pathlib import Path

import pytest

from boldly.ledger import Budget, MemoryLedger, Spent
from boldly.report import single
from boldly.report.blocks import Table
from boldly.report.data import Books, Purchase, RunData, books_of
from boldly.report.money import money_section
from boldly.report.page import render
from boldly.testing.build import query
from boldly.types import Account, Failure, Preference, Provenance, Query, Tie, Verdict
from tests.report.fakes import CONFIG

FREE = Budget(None)


def buy(
    ledger: MemoryLedger,
    asked: Query,
    verdict: Verdict,
    source: str,
    price: float = 0.0,
    provenance: Provenance = "bought",
) -> None:
    ledger.ask([asked])
    attempt = ledger.reserve(asked.id, bound=price, budget=FREE)
    ledger.tell(attempt.id, verdict, source=source, price=price, provenance=provenance)


def run(books: Books) -> RunData:
    return RunData(Path("made-up"), CONFIG, "recipe: xpo", (), books=books)


@pytest.fixture
def books() -> Books:
    """Three labels bought at 0.1 with a failure, one reused, one self-made, a surplus, and two people who check."""
    ledger = MemoryLedger()
    for place in range(3):
        buy(ledger, query(place), Preference(1.0), "judge", 0.1)
    buy(ledger, query(3), Failure("timed out"), "judge", 0.05)
    buy(ledger, query(3), Preference(1.0), "recorded:old", 0.0, "recorded")
    buy(ledger, query(4), Tie(), "self", 0.0, "self_made")
    buy(ledger, query(0), Tie(), "people:zoe-q7x", 0.4)
    ledger.reserve(query(1).id, bound=0.25, budget=FREE)
    account: Account = "consistency"
    buy(ledger, query(0, account=account), Preference(1.0), "people:zoe-q7x", 1.0)
    buy(ledger, query(1, account=account), Preference(0.0), "people:ann", 1.0)
    return books_of(ledger)


def cells(section_table: Table) -> dict[str, list[str]]:
    return {row[0]: list(row[1:]) for row in section_table.rows}


def test_books_are_what_the_ledger_says(books: Books):
    assert books.purchases == (
        Purchase("training", "judge", "bought", 3, 0.1 + 0.2),
        Purchase("training", "recorded:old", "recorded", 1, 0.0),
        Purchase("training", "self", "self_made", 1, 0.0),
        Purchase("consistency", "person 1", "bought", 1, 1.0),
        Purchase("consistency", "person 2", "bought", 1, 1.0),
    )
    assert books.costs == pytest.approx((0.1, 0.2, 0.3, 0.3, 0.3))
    assert books.money == pytest.approx(3.0)
    assert [(one.first, one.second, one.share.value) for one in books.checks.between] == [
        ("judge", "person 1", 1.0),
        ("judge", "person 2", 0.0),
    ]


def test_every_account_adds_up_on_the_page(books: Books):
    section = money_section(run(books))
    accounts, sources = (block for block in section.blocks if isinstance(block, Table))
    assert accounts.columns == ["", "training", "checks of labels"]
    shown = cells(accounts)
    assert shown["labels, the sum of these"] == ["6", "2"]
    assert shown["of them bought"] == ["4", "2"]
    assert shown["of them reused from a record"] == ["1", "0"]
    assert shown["of them made by the policy itself"] == ["1", "0"]
    assert shown["of them second answers to a query (surplus)"] == ["1", "0"]
    assert shown["attempts that failed"] == ["1", "0"]
    assert shown["attempts still open"] == ["1", "0"]
    assert shown["money, spent or reserved"] == ["1.00", "2.00"]
    assert shown["money for each label bought"] == ["0.25", "1.00"]
    assert ["judge", "training", "bought", "3", "0.3", "0.1"] in [list(row) for row in sources.rows]
    assert "Labels cost 3.00 in the currency of its prices: 2.30 for labels that count and 0.7 (23%) for 3" in " ".join(
        section.text
    )


def test_labels_that_were_not_bought_are_told_apart(books: Books):
    text = " ".join(money_section(run(books)).text)
    assert "1 labels were reused from a record and cost nothing here." in text
    assert "1 labels were made by the policy itself" in text
    page = single(run(books))
    assert page.key_figures[0].note == "of 128 in the budget; 1 reused; 1 self-made"


def test_free_labels_have_no_curve_of_costs():
    free = Books({"training": Spent(labels=1, preferences=1)}, (Purchase("training", "program", "bought", 1, 0.0),))
    section = money_section(run(free))
    assert section.text[0] == "Nothing was paid for labels."
    assert all(isinstance(block, Table) for block in section.blocks)


def test_names_of_people_do_not_reach_the_page(books: Books):
    html = render(single(run(books)))
    assert "person 1" in html
    assert "zoe-q7x" not in html
    assert "people:" not in html

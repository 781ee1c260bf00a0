from pathlib import Path

import pytest

from boldly.ledger import Budget, MemoryLedger, Spent
from boldly.report import single
from boldly.report.blocks import Table
from boldly.report.data import Books, Purchase, RunData, books_of
from boldly.report.money import money_section
from boldly.report.numbers import money
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
        Purchase("consistency", "people:annotator-1", "bought", 1, 1.0),
        Purchase("consistency", "people:annotator-2", "bought", 1, 1.0),
    )
    assert books.costs == pytest.approx((0.1, 0.2, 0.3, 0.3, 0.3))
    assert books.money == pytest.approx(3.0)
    assert [(one.first, one.second, one.share.value) for one in books.checks.between] == [
        ("judge", "people:annotator-1", 1.0),
        ("judge", "people:annotator-2", 0.0),
    ]


def test_every_account_adds_up_on_the_page(books: Books):
    section = money_section(run(books))
    accounts, sources = (block for block in section.blocks if isinstance(block, Table))
    assert accounts.columns == ["", "training", "checks of labels"]
    shown = cells(accounts)
    assert shown["labels in all"] == ["6", "2"]
    assert shown["· bought"] == ["4", "2"]
    assert shown["· reused"] == ["1", "0"]
    assert shown["· self-made"] == ["1", "0"]
    assert shown["· surplus"] == ["1", "0"]
    assert shown["failed attempts"] == ["1", "0"]
    assert shown["still open"] == ["1", "0"]
    assert shown["money"] == ["1.00", "2.00"]
    assert shown["for each bought"] == ["0.25", "1.00"]
    assert ["judge", "training", "bought", "3", "0.30", "0.10"] in [list(row) for row in sources.rows]
    assert section.text[0].startswith(
        "Labels cost 3.00 in the currency of its prices: 2.30 for labels that count and 0.70 (23%) for attempts "
        "without one (1 failed, 1 surplus, 1 still open)."
    )


def test_labels_that_were_not_bought_are_told_apart(books: Books):
    text = " ".join(money_section(run(books)).text)
    assert "1 label was reused from a record and cost nothing here." in text
    assert "1 label was made by the policy itself" in text
    page = single(run(books))
    assert page.key_figures[0].note == "of 128 in the budget; 1 reused; 1 self-made"


def test_free_labels_have_no_curve_of_costs():
    free = Books({"training": Spent(labels=1, preferences=1)}, (Purchase("training", "program", "bought", 1, 0.0),))
    section = money_section(run(free))
    assert section.text[0] == "Nothing was paid for labels."
    assert all(isinstance(block, Table) for block in section.blocks)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0.00"), (12.4, "12.40"), (1234.5, "1,234.50"), (0.5, "0.50"), (0.0123, "0.0123"), (1.5e-4, "0.00015")],
)
def test_money_has_two_digits_at_least(value: float, shown: str):
    assert money(value) == shown


def test_names_of_people_do_not_reach_the_page(books: Books):
    page = render(single(run(books)))
    assert "zoe-q7x" not in page
    assert "people:annotator-1" in page

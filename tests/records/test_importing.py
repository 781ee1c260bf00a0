"""Labels into a ledger: each once, nothing overwritten."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from boldly.ledger import Budget, Ledger, MemoryLedger
from boldly.records import Entry, Fault, Record, Unlabelled
from boldly.records.importing import HOLDER, import_records
from boldly.testing import query, swapped
from boldly.types import ACCOUNTS, BothBad, Label, Preference, Prompt, Tie, Verdict

BUDGET = Budget(labels=None)


def said(place: int, verdict: Verdict, *, query_id: str | None = None, source: str = "file", **facts: object) -> Record:
    """A record about the prompt and the texts of `query(place)`."""
    return Record(Prompt(f"prompt {place}"), "aaa", "b", verdict, source, facts, f"x.jsonl:{place}", query_id)


def run(*places: int) -> MemoryLedger:
    """The ledger of a run that asked these queries in round 0."""
    ledger = MemoryLedger()
    ledger.record_round(0, policy="iterate-0", reference="iterate-0")
    ledger.ask([query(place) for place in places])
    return ledger


def imported(ledger: Ledger, *entries: Entry, foreign: bool = False, dry_run: bool = False) -> list[str]:
    ledger.abandon(HOLDER)
    return [each.status for each in import_records(ledger, entries, foreign=foreign, dry_run=dry_run)]


def labels(ledger: Ledger) -> list[Label]:
    return [label for account in ACCOUNTS for label in ledger.labels(account)]


def test_a_record_answers_the_waiting_query_that_it_names_or_whose_texts_it_has():
    ledger = run(0, 1, 2)
    back = said(1, Preference(0.75), order="ab")
    back = replace(back, a=back.b, b=back.a)
    assert imported(ledger, said(0, Tie(), query_id=query(0).id), back, Unlabelled("x:3")) == [
        "stored",
        "stored",
        "unlabelled",
    ]
    first, second = ledger.labels()
    assert (first.query, first.verdict, first.provenance, first.price) == (query(0), Tie(), "recorded", 0.0)
    assert (second.query, second.verdict) == (query(1), Preference(0.25))
    assert (second.source, second.facts["order"], second.facts["place"]) == ("file", "ba", "x.jsonl:1")
    assert [waiting.id for waiting in ledger.waiting(0)] == [query(2).id]
    assert ledger.spent().recorded == ledger.spent().labels == 2


def test_the_same_rows_again_change_nothing():
    ledger = run(0, 1)
    rows = (said(0, Preference(1.0)), said(1, BothBad(), annotator="ann"), said(0, Preference(1.0)))
    assert imported(ledger, *rows) == ["stored", "stored", "there already"]
    before, spent = labels(ledger), ledger.spent()
    assert imported(ledger, *rows) == ["there already"] * 3
    assert (labels(ledger), ledger.spent()) == (before, spent)


def test_a_label_is_never_replaced():
    ledger = run(0)
    attempt = ledger.reserve(query(0).id, bound=1.0, budget=BUDGET)
    bought = ledger.tell(attempt.id, Preference(1.0), source="judge", price=1.0)
    entries = (said(0, Preference(0.0)), said(0, Preference(1.0)), said(0, Tie(), query_id=query(0).id))
    assert imported(ledger, *entries) == ["labelled otherwise", "there already", "labelled otherwise"]
    assert labels(ledger) == [bought]
    assert ledger.spent().surplus == 0


def test_rows_of_another_run_are_told_and_not_stored():
    ledger = run(0)
    entries = (said(7, Tie(), query_id="1f0c"), said(8, Tie()), said(7, Tie(), query_id=query(0).id))
    outcomes = list(import_records(ledger, entries, foreign=False))
    assert [each.status for each in outcomes] == ["not in this run", "not in this run", "bad"]
    assert "query 1f0c" in outcomes[0].why
    assert "has other texts" in outcomes[2].why
    assert labels(ledger) == []


def test_rows_of_elsewhere_make_a_ledger_of_their_own():
    ledger = MemoryLedger()
    second = said(0, Preference(0.0), annotator="bob")
    entries = (
        said(0, Preference(1.0), annotator="ann"),
        second,
        replace(said(1, Tie(), query_id="1f0c"), account="evaluation"),
        Fault("x:9", "is bad"),
        replace(said(2, Tie()), b=" aaa"),
    )
    assert imported(ledger, *entries, foreign=True) == ["stored", "stored", "stored", "bad", "bad"]
    one, two = ledger.labels()
    (three,) = ledger.labels("evaluation")
    assert [(each.query.round, each.query.place) for each in (one, two, three)] == [(0, 0), (0, 1), (0, 2)]
    assert (one.query.a.text, one.query.a.tokens, one.query.a.origin) == ("aaa", (), "data")
    assert (two.verdict, two.facts["annotator"]) == (Preference(0.0), "bob")
    assert three.facts["query_id"] == "1f0c"
    assert imported(ledger, *entries, foreign=True)[:3] == ["there already"] * 3
    assert imported(ledger, said(0, Preference(1.0), query_id=one.query.id), foreign=True) == ["there already"]
    assert imported(ledger, replace(second, a="b", b="aaa"), foreign=True) == ["stored"]


def test_a_dry_run_tells_the_same_and_stores_nothing():
    entries = (said(0, Preference(1.0)), said(0, Preference(1.0)), said(0, Tie()), said(5, Tie()))
    ledger = run(0)
    told = imported(ledger, *entries, dry_run=True)
    assert labels(ledger) == []
    assert ledger.attempts(query(0).id) == 0
    assert told == imported(ledger, *entries)


def test_an_import_that_was_killed_goes_on():
    """Killed with a query asked and reserved, but not told, as where rows were stored one by one."""
    ledger, whole, rows = MemoryLedger(), MemoryLedger(), (said(0, Preference(1.0)), said(1, Tie()))
    assert imported(whole, *rows, foreign=True) == ["stored", "stored"]
    assert imported(ledger, rows[0], foreign=True) == ["stored"]
    ledger.ask(whole.queries(0))
    ledger.reserve(whole.queries(0)[1].id, bound=0.0, budget=BUDGET, holder=HOLDER)
    assert imported(ledger, *rows, foreign=True) == ["there already", "stored"]
    assert len(ledger.queries(0)) == len(ledger.labels()) == 2
    assert ledger.spent().open == 0


VERDICTS = (Preference(1.0), Preference(0.0), Preference(0.25), Tie(), BothBad())
NAMED = (None, "unknown", query(0).id, query(1).id)
Drawn = tuple[int, int, str, bool, int]
ROWS = st.tuples(
    st.integers(0, 5),
    st.integers(-2, 4),
    st.sampled_from(["one", "two"]),
    st.booleans(),
    st.integers(0, len(NAMED) - 1),
)


def entry(drawn: Drawn) -> Entry:
    """A record about one of six pairs, a bad row, or an open one; made here, as the type checks draw at random."""
    place, verdict, source, flip, named = drawn
    if verdict < 0:
        return Fault("x:1", "bad") if verdict == -1 else Unlabelled("x:2")
    record = said(place, VERDICTS[verdict], source=source, query_id=NAMED[named])
    return replace(record, a=record.b, b=record.a) if flip else record


@settings(max_examples=25, deadline=None)
@given(st.lists(ROWS, max_size=20), st.lists(ROWS, max_size=20), st.booleans(), st.booleans())
def test_any_imports_keep_the_law(drawn: list[Drawn], further: list[Drawn], foreign: bool, bought: bool):
    """Case 30: duplicates, unknown ids, other runs' labels: idempotent, a row each, and what is there stays."""
    first, second = [entry(each) for each in drawn], [entry(each) for each in further]
    ledger = MemoryLedger() if foreign else run(0, 1, 2)
    if bought and not foreign:
        attempt = ledger.reserve(query(0).id, bound=1.0, budget=BUDGET)
        ledger.tell(attempt.id, Preference(1.0), source="judge", price=1.0)
    before = labels(ledger)
    planned = imported(ledger, *first, foreign=foreign, dry_run=True)
    assert labels(ledger) == before
    told = imported(ledger, *first, foreign=foreign)
    assert told == planned
    assert len(told) == len(first)
    once = labels(ledger)
    assert len(once) - len(before) == Counter(told)["stored"]
    again = imported(ledger, *first, foreign=foreign)
    assert "stored" not in again
    assert labels(ledger) == once
    imported(ledger, *second, foreign=foreign)
    assert {label.query.id: label for label in once}.items() <= {each.query.id: each for each in labels(ledger)}.items()
    assert ledger.spent().surplus == 0
    assert all(label.verdict == _told(label, [*first, *second]) for label in labels(ledger) if label.source != "judge")


def _told(label: Label, entries: list[Entry]) -> Verdict | None:
    """The label's verdict, if a record about its pair from its source says just that, in whichever order."""
    for entry in entries:
        if isinstance(entry, Record) and entry.source == label.source:
            for record, asked in ((entry, label.query), (entry, swapped(label.query))):
                texts = (record.prompt.text, record.a, record.b) == (asked.prompt.text, asked.a.text, asked.b.text)
                p = record.verdict.probability if isinstance(record.verdict, Preference) else None
                same = record.verdict if asked is label.query or p is None else Preference(1.0 - p)
                if texts and same == label.verdict:
                    return label.verdict
    return None

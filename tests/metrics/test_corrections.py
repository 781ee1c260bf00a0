import pytest

from boldly.ledger.protocol import Correction, Iterate
from boldly.metrics.corrections import changed
from boldly.types import Abstention, BothBad, Label, Preference, Prompt, Query, Response, Verdict, corrected
from tests.test_ahead import by_people, plain, taught

FIRST = Preference(1.0)


def label(place: int, *, bought: int | None = None, verdict: Verdict = FIRST) -> Label:
    """The label of a query, four to a round; bought in the order of the queries unless said otherwise."""
    a, b = Response("a", (1,), "one", -1.0, -1.0), Response("b", (2,), "one", -1.0, -1.0)
    query = Query(Prompt(f"p{place}"), a, b, place // 4, place)
    return Label(place if bought is None else bought, query, verdict, "people:ann", 0.0, "")


LABELS = [label(place) for place in range(12)]
ITERATES = [Iterate(number, f"iterate-{number}", 4 * number, {}) for number in (1, 2, 3)]


def correction(number: int, place: int, iterates: int, verdict: Verdict | None = None) -> Correction:
    facts = {"withdrawn": True} if verdict is None else {}
    return Correction(
        number, LABELS[place].query.id, verdict or Abstention(), "people:ann", iterates, f"t{number}", facts
    )


def learned(corrections: list[Correction], labels: list[Label] = LABELS) -> list[tuple[int, ...]]:
    return [one.learned for one in changed(corrections, labels, ITERATES)]


def test_what_was_taken_back_at_once_taught_nothing():
    assert learned([correction(0, 5, 1), correction(1, 5, 1, Preference(0.0))]) == [(), ()]


def test_iterates_learned_from_the_labels_that_were_there():
    """Labels 0 to 3 taught all three iterates, 4 to 7 the second and third, 8 to 11 the third."""
    assert learned([correction(0, 3, 3), correction(1, 4, 3), correction(2, 11, 3)]) == [(1, 2, 3), (2, 3), (3,)]
    assert learned([correction(0, 0, 2)]) == [(1, 2)]


def test_each_verdict_answers_for_the_iterates_while_it_counted():
    """Taken back after the first, told again after the second, changed after the third."""
    found = learned([correction(0, 0, 1), correction(1, 0, 2, Preference(0.0)), correction(2, 0, 3, Preference(1.0))])
    assert found == [(1,), (), (3,)]


def test_a_mind_changed_during_a_fit_had_taught_the_iterate_that_came_of_it():
    """Iterate 2 was fitted when there was one correction, and kept when there were two."""
    iterates = [Iterate(n, f"iterate-{n}", 4 * n, {"corrections": count}) for n, count in ((1, 0), (2, 1), (3, 2))]
    found = changed([correction(0, 0, 1, Preference(0.0)), correction(1, 0, 1)], LABELS, iterates)
    assert [one.learned for one in found] == [(1,), (2,)]


def test_it_says_who_said_what_and_when():
    first, second = changed([correction(0, 2, 1), correction(1, 2, 1, Preference(0.0))], LABELS, ITERATES)
    assert (first.withdrawn, first.verdict, first.source, first.time) == (True, "abstention", "people:ann", "t0")
    assert (second.withdrawn, second.verdict, second.query_id) == (False, "preference", LABELS[2].query.id)


def test_other_accounts_teach_nothing():
    assert changed([correction(0, 5, 3)], [], ITERATES)[0].learned == ()


def test_a_label_of_a_round_ahead_taught_nothing_before_its_round_was_learned():
    """Query 4, of round 1, is bought while round 0 lacks its last label; iterate 1 is of round 0 alone."""
    order = [0, 1, 2, 4, 3, *range(5, 12)]
    labels = [label(place, bought=bought) for bought, place in enumerate(order)]
    assert learned([correction(0, 3, 3), correction(1, 4, 3)], labels) == [(1, 2, 3), (2, 3)]


def test_what_was_bought_after_an_iterate_was_fitted_did_not_teach_it():
    """The last label of round 0 comes when iterate 1 is there: it has three labels, and the second one eight."""
    labels = [label(place, bought=bought) for bought, place in enumerate([0, 1, 2, 4, 3, 5, 6, 7])]
    iterates = [Iterate(1, "iterate-1", 3, {}), Iterate(2, "iterate-2", 8, {})]
    found = changed([correction(0, 2, 2), correction(1, 3, 2), correction(2, 4, 2)], labels, iterates)
    assert [one.learned for one in found] == [(1, 2), (2,), (2,)]


@pytest.mark.parametrize("verdict", [BothBad(), Abstention()])
def test_a_first_verdict_that_said_nothing_taught_nothing(verdict: Verdict):
    """Told in earnest after the first iterate, which the second learned from, and taken back after it."""
    first = label(0, verdict=verdict)
    now = corrected(corrected(first, Preference(0.0), "people:ann", {}), Abstention(), "people:ann", {})
    assert learned([correction(0, 0, 1, Preference(0.0)), correction(1, 0, 2)], [now, *LABELS[1:]]) == [(), (2,)]


@pytest.mark.parametrize("place", [0, -1])
def test_it_says_what_a_run_with_a_round_ahead_was_taught(place: int):
    """All labels withdrawn in the end: the iterates are those whose fit was given the label, as the learner saw it."""
    loop = by_people(plain, lambda waiting: waiting[place])
    fits, ledger = taught(loop), loop.ledger
    for each in ledger.labels():
        ledger.correct(each.query.id, Abstention(), source="people", facts={"withdrawn": True})
    found = changed(ledger.corrections(), ledger.labels(), ledger.iterates())
    assert {one.query_id: one.learned for one in found} == {
        each.query.id: tuple(n for n, seen in enumerate(fits, start=1) if each.query.id in seen)
        for each in ledger.labels()
    }
    assert len(found) == 20

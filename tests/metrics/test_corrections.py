from boldly.ledger.protocol import Correction, Iterate
from boldly.metrics.corrections import changed
from boldly.types import Abstention, Label, Preference, Prompt, Query, Response, Verdict


def label(place: int) -> Label:
    a, b = Response("a", (1,), "one", -1.0, -1.0), Response("b", (2,), "one", -1.0, -1.0)
    return Label(place, Query(Prompt(f"p{place}"), a, b, place // 4, place), Preference(1.0), "people:ann", 0.0, "")


LABELS = [label(place) for place in range(12)]
ITERATES = [Iterate(number, f"iterate-{number}", 4 * number, {}) for number in (1, 2, 3)]


def correction(number: int, place: int, iterates: int, verdict: Verdict | None = None) -> Correction:
    facts = {"withdrawn": True} if verdict is None else {}
    return Correction(
        number, LABELS[place].query.id, verdict or Abstention(), "people:ann", iterates, f"t{number}", facts
    )


def learned(corrections: list[Correction]) -> list[tuple[int, ...]]:
    return [one.learned for one in changed(corrections, LABELS, ITERATES)]


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


def test_it_says_who_said_what_and_when():
    first, second = changed([correction(0, 2, 1), correction(1, 2, 1, Preference(0.0))], LABELS, ITERATES)
    assert (first.withdrawn, first.verdict, first.source, first.time) == (True, "abstention", "people:ann", "t0")
    assert (second.withdrawn, second.verdict, second.query_id) == (False, "preference", LABELS[2].query.id)


def test_other_accounts_teach_nothing():
    assert changed([correction(0, 5, 3)], [], ITERATES)[0].learned == ()

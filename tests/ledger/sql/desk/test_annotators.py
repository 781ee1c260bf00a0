"""Who may answer."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from boldly.errors import InvalidInput
from tests.ledger.sql.desk.small import Run

Runs = Callable[..., Run]


def test_a_name_is_one_person(runs: Runs):
    run = runs()
    ann = run.desk.admit("Ann", owner=True)
    assert run.desk.admit("  Ann ") == ann
    ben = run.desk.admit("Ben")
    assert run.desk.admit("Ben", owner=True) == replace(ben, owner=True)
    assert [one.name for one in run.desk.annotators()] == ["Ann", "Ben"]
    assert run.desk.annotator(ben.number) == replace(ben, owner=True)
    assert run.desk.annotator(17) is None


def test_who_was_revoked_does_nothing_more_and_what_they_held_goes_on(runs: Runs):
    run = runs(queries=1)
    ann, ben = run.desk.admit("Ann"), run.desk.admit("Ben")
    lease = run.lease(ann)
    run.desk.revoke("Ann")
    for use in (
        lambda: run.desk.lease(ann),
        lambda: run.choose(ann, lease),
        lambda: run.undo(ann),
        lambda: run.desk.beat(ann, [lease.token]),
        lambda: run.desk.held(ann, [lease.token]),
    ):
        with pytest.raises(InvalidInput, match="revoked"):
            use()
    assert run.lease(ben).query == lease.query


def test_who_comes_back_has_another_link(runs: Runs):
    run = runs()
    ann = run.desk.admit("Ann")
    run.label(ann)
    run.desk.revoke("Ann")
    again = run.desk.admit("Ann")
    assert again == replace(ann, generation=1)
    with pytest.raises(InvalidInput, match="revoked"):
        run.desk.lease(ann)
    assert run.desk.tally(again).mine == 1
    assert run.undo(again) is not None


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\x00b", "a\x1bb", "\ud800"])
def test_what_is_no_name_is_refused(runs: Runs, name: str):
    with pytest.raises(InvalidInput):
        runs().desk.admit(name)


def test_nobody_is_revoked_by_mistake(runs: Runs):
    run = runs()
    run.desk.admit("Ann")
    with pytest.raises(InvalidInput, match="there are Ann"):
        run.desk.revoke("Anna")

"""Clauses on reading what has been labelled so far."""

from boldly.ledger.marks import Extent, Mark, mark_of
from boldly.ledger.protocol import Ledger
from boldly.testing.build import query
from boldly.testing.ledger_contract.buying import buy
from boldly.types import ACCOUNTS, Abstention, Account, BothBad, Preference, Tie


class History:
    """A long history is followed by its marks, and read in the parts that are asked for."""

    def test_marks_follow_the_labels_and_their_corrections(self, ledger: Ledger):
        """Whoever follows from any moment on knows what one who reads everything knows, and is told nothing twice."""
        asked = [query(0), query(1, account="evaluation"), query(2, round=1), query(3), query(0, round=2)]
        ledger.ask(asked)
        steps = [
            *((one, verdict) for one, verdict in zip(asked, (Tie(), Tie(), BothBad()), strict=False)),
            (asked[0], Preference(0.25)),
            (asked[3], Abstention()),
            (asked[3], Preference(1.0)),
            (asked[1], Preference(1.0)),
            (asked[0], Abstention()),
            (asked[4], Preference(1 / 3)),
        ]
        moments: list[tuple[Extent, dict[Account, tuple[Mark, ...]]]] = [(Extent(), dict.fromkeys(ACCOUNTS, ()))]
        for one, verdict in steps:
            if one in ledger.waiting(one.round, one.account):
                buy(ledger, one, verdict)
            else:
                ledger.correct(one.id, verdict, source="anna")
            expected: dict[Account, tuple[Mark, ...]] = {}
            for account in ACCOUNTS:
                expected[account] = tuple(map(mark_of, ledger.labels(account)))
            for extent, before in moments:
                for account in ACCOUNTS:
                    new, reaches = ledger.marks(account, since=extent)
                    assert reaches.labels == sum(map(len, expected.values()))
                    assert reaches.corrections == len(ledger.corrections())
                    known = {mark.sequence: mark for mark in (*before[account], *new)}
                    assert tuple(known[sequence] for sequence in sorted(known)) == expected[account]
                    assert len({mark.sequence for mark in new}) == len(new)
            moments.append((ledger.marks()[1], expected))
            assert ledger.marks(since=moments[-1][0]) == ((), moments[-1][0])

    def test_the_labels_of_a_round_are_those_of_all_that_belong_to_it(self, ledger: Ledger):
        asked = [query(place, round=round) for place in range(3) for round in range(2)]
        ledger.ask([*asked, query(0, account="evaluation")])
        for one in (*reversed(asked[1:]), query(0, account="evaluation")):
            buy(ledger, one, Tie())
        for one in (asked[3], asked[2], asked[3]):
            ledger.correct(one.id, BothBad(), source="anna")
        for account in ACCOUNTS:
            for round in range(3):
                expected = tuple(label for label in ledger.labels(account) if label.query.round == round)
                assert ledger.labels(account, round=round) == expected
        assert [label.corrected for label in ledger.labels(round=1)] == [0, 2, 0]

    def test_the_queries_of_labels_come_in_the_order_that_was_asked_for(self, ledger: Ledger):
        asked = [query(place, a="a" * (place % 3 + 1)) for place in range(7)]
        ledger.ask(asked)
        order = (3, 0, 6, 1, 5)
        for place in order:
            buy(ledger, asked[place], Tie())
        for sequences in ([], [4], [2, 0], [0, 4, 4, 1], range(5)):
            assert ledger.labelled(sequences) == tuple(asked[order[sequence]] for sequence in sequences)

"""Clauses on rounds, steps and iterates."""

from boldly.ledger.protocol import Iterate, Ledger, Step


class Rounds:
    """Rounds, their steps and the iterates they end with are kept once."""

    def test_rounds_are_kept_once(self, ledger: Ledger):
        ledger.record_round(1, policy="iterate-1", reference="base")
        ledger.record_round(0, policy="base", reference="base")
        first = ledger.rounds()
        ledger.record_round(1, policy="other", reference="other")
        assert [(one.number, one.policy, one.reference) for one in first] == [
            (0, "base", "base"),
            (1, "iterate-1", "base"),
        ]
        assert all(one.time for one in first)
        assert ledger.rounds() == first
        assert ledger.rounds(since=1) == first[1:]

    def test_steps_of_a_stored_round_are_left_alone(self, ledger: Ledger):
        first = [Step(0, 0, (2, 0, 1)), Step(0, 1, (), taken=False, reason="loss is not finite")]
        second = [Step(1, 0, (3,))]
        ledger.record_steps(first)
        ledger.record_steps([Step(0, 0, (9,)), Step(0, 2, (9,)), *second])
        assert ledger.steps() == (*first, *second)

    def test_iterates_are_kept_once(self, ledger: Ledger):
        ledger.record_iterate(0, name="base", labels=0, facts={})
        ledger.record_iterate(1, name="iterate-1", labels=16, facts={"loss": 0.5, "é": [1]})
        ledger.record_iterate(1, name="other", labels=99, facts={})
        assert ledger.iterates() == (Iterate(0, "base", 0, {}), Iterate(1, "iterate-1", 16, {"loss": 0.5, "é": [1]}))
        assert [ledger.iterates(since) == ledger.iterates()[since:] for since in range(3)] == [True] * 3

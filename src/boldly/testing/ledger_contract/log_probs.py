"""Clauses on log-probabilities under frozen policies."""

import pytest

from boldly.errors import InvalidInput
from boldly.ledger.protocol import Ledger


class LogProbs:
    """Log-probabilities keep their first value, and are found by their keys."""

    def test_log_probabilities_keep_their_first_value(self, ledger: Ledger):
        ledger.record_log_probs("iterate-1", {("p", "r"): -0.1, ("p", "s"): float("-inf")})
        ledger.record_log_probs("iterate-1", {("p", "r"): -9.0, ("q", "r"): -1 / 3})
        ledger.record_log_probs("iterate-2", {("p", "r"): -5e-324})
        ledger.record_log_probs("iterate-2", {})
        assert ledger.log_probs("iterate-1") == {("p", "r"): -0.1, ("p", "s"): float("-inf"), ("q", "r"): -1 / 3}
        assert ledger.log_probs("iterate-2") == {("p", "r"): -5e-324}
        assert ledger.log_probs("iterate-3") == {}
        with pytest.raises(InvalidInput, match="not a number"):
            ledger.record_log_probs("iterate-1", {("z", "z"): float("nan")})

    def test_log_probabilities_are_found_by_their_keys(self, ledger: Ledger):
        values = {(f"p{i % 7}", f"r{i}"): -i / 3 for i in range(450)}
        ledger.record_log_probs("iterate-1", values)
        ledger.record_log_probs("iterate-2", {("p0", "r0"): -9.0})
        wanted = [key for i, key in enumerate(values) if i % 2]
        assert ledger.log_probs("iterate-1", [*wanted, ("p1", "r0"), ("p", "r")]) == {k: values[k] for k in wanted}
        assert ledger.log_probs("iterate-2", wanted) == {}
        assert ledger.log_probs("iterate-1", []) == {}

"""What a round costs as the history before it grows."""

from contextlib import closing
from dataclasses import dataclass

import torch

from boldly.ledger.sql import SqlLedger, file, marking, mirror
from tests.loop.small import small_loop, small_oracle
from tests.support.tabular import MemoryArchive, TabularPolicy


@dataclass
class Dipping:
    """Reads three comparisons of the past and this round's, as a learner does that draws its batches."""

    hypotheses: bool = False

    def fit(self, policy, reference, evidence, *, name, seed):
        n = len(evidence.comparisons)
        data = evidence.comparisons.at([0, n // 3, n // 2]) + evidence.newest
        prompts = [c.query.prompt for c in data for _ in "ab"]
        evidence.log_probs(reference, prompts, [said for c in data for said in (c.query.a, c.query.b)])
        return TabularPolicy(policy.logits + 0.01, name), ()

    def state(self):
        return {}

    def restore(self, state):
        pass


def round_after(past, path, monkeypatch):
    """What one round costs after so many: instructions of SQLite (in hundreds), queries and marks that are read."""
    monkeypatch.setattr(file, "make_durable", lambda connection, *_: connection.execute("PRAGMA synchronous = OFF"))
    with closing(SqlLedger(path)) as ledger:
        archive = MemoryArchive(TabularPolicy(torch.tensor([1.0, 0.0, -1.0, -2.0], dtype=torch.float64)))
        oracle = small_oracle()
        loop = small_loop(ledger=ledger, archive=archive, learner=Dipping(), budget=None)
        for _ in range(past):
            loop_round(loop, oracle)
    with closing(SqlLedger(path)) as ledger:
        loop = small_loop(ledger=ledger, archive=archive, learner=Dipping(), budget=None)
        loop_round(loop, oracle)  # reads the history's numbers
        counts = {"instructions": 0, "queries": 0, "marks": 0}

        def counting(name, function, size):
            def counted(*args, **options):
                found = function(*args, **options)
                counts[name] += len(size(found))
                return found

            return counted

        def tick():
            counts["instructions"] += 1
            return 0

        monkeypatch.setattr(mirror, "_queries", counting("queries", mirror._queries, lambda found: found))
        monkeypatch.setattr(marking, "marks", counting("marks", marking.marks, lambda found: found[0]))
        ledger._database._raw.set_progress_handler(tick, 100)
        loop_round(loop, oracle)
        monkeypatch.undo()
    return counts


def loop_round(loop, oracle):
    loop.buy(loop.ask(), oracle)
    return loop.fit()


def test_a_round_costs_the_same_after_a_long_history_as_after_a_short_one(tmp_path, monkeypatch):
    """Its own four queries and the three it dips into are read, and SQLite does no more but for the depth of its trees.

    After 40 rounds instead of 4, so that reading any table through would be ten times as much.
    """
    short, long = (round_after(past, tmp_path / f"{past}.sqlite", monkeypatch) for past in (4, 40))
    for counts in (short, long):
        assert counts["queries"] <= 4 + 3
        assert counts["marks"] == 4
    assert short["instructions"] > 20
    assert long["instructions"] < 1.25 * short["instructions"], (short, long)

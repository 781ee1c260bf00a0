"""Labels that are corrected after they were learned from."""

from dataclasses import dataclass, field

import torch

from boldly.ledger import MemoryLedger
from boldly.ledger.sql import SqlLedger
from boldly.types import Abstention, Preference, Tie
from tests.loop.small import LogitLearner, small_loop


@dataclass
class Remembering(LogitLearner):
    """Remembers what every comparison said that it was given."""

    said: list = field(default_factory=list)

    def fit(self, policy, reference, evidence, **rest):
        self.said.append({c.query.id: c.label for c in evidence.comparisons})
        assert [c.query.round for c in evidence.newest] == [evidence.round] * len(evidence.newest)
        return super().fit(policy, reference, evidence, **rest)


def test_what_is_corrected_after_it_was_learned_from_is_learned_from_anew(tmp_path):
    """Law 10: one label turned round, one withdrawn, one that came late; the next fit has each as it is said last."""
    policies = []
    for ledger in (MemoryLedger(), SqlLedger(tmp_path / "ledger.sqlite")):
        loop = small_loop(ledger=ledger, learner=Remembering())
        first = loop.ask()
        loop.tell([(query, Preference(1.0)) for query in first[:3]], source="me")
        loop.fit()
        ledger.correct(first[0].id, Preference(0.25), source="anna")
        ledger.correct(first[1].id, Abstention(), source="anna")
        loop.tell([(first[3], Tie())], source="me")
        loop.tell([(query, Preference(0.0)) for query in loop.ask()], source="me")
        done = loop.fit()
        said = loop.parts.learner.said
        assert said[0] == {query.id: 1.0 for query in first[:3]}
        expected = {first[0].id: 0.25, first[2].id: 1.0, first[3].id: 0.5}
        assert said[1] == expected | {label.query.id: 0.0 for label in done.labels}
        assert len(done.labels) == 4
        assert [(kept.labels, kept.facts["corrections"]) for kept in ledger.iterates()] == [(3, 0), (8, 2)]
        policies.append(loop.policy.logits)
        ledger.close()
    assert torch.equal(*policies)

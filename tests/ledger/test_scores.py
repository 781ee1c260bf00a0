"""What never changes is computed once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from boldly.ledger import MemoryLedger
from boldly.ledger.scores import Scores
from boldly.testing import response
from boldly.types import Prompt, Response
from tests.support.tabular import TabularPolicy

P, Q = Prompt("p"), Prompt("q")


@dataclass(frozen=True)
class Counting(TabularPolicy):
    """A frozen policy whose log-probability is minus the length of prompt and response, by a third."""

    logits: Tensor = field(default_factory=lambda: torch.zeros(1))
    name: str = "iterate-1"
    calls: list[list[tuple[str, str]]] = field(default_factory=list)

    def log_probs(self, prompts: Sequence[Prompt], responses: Sequence[Response]) -> Float[Tensor, "responses"]:
        self.calls.append([(p.text, r.text) for p, r in zip(prompts, responses, strict=True)])
        return torch.tensor([-(len(p.text) + len(r.text)) / 3 for p, r in zip(prompts, responses, strict=True)])


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


def test_each_response_is_scored_once(ledger: MemoryLedger):
    policy, scores = Counting(), Scores(ledger)
    a, b = response("aaa"), response("bbbb")
    first = scores(policy, [P, P, Q, P], [a, b, a, a])
    assert first.dtype == torch.float32
    assert torch.equal(first, torch.tensor([-4 / 3, -5 / 3, -4 / 3, -4 / 3]))
    assert sorted(policy.calls[0]) == [("p", "aaa"), ("p", "bbbb"), ("q", "aaa")]
    again = scores(policy, [Q, P, Q], [a, b, b])
    assert torch.equal(again, torch.tensor([-4 / 3, -5 / 3, -5 / 3]))
    assert policy.calls[1:] == [[("q", "bbbb")]]


def test_the_ledger_is_asked_for_no_other_score(ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch):
    """However many it holds; and for none that the response carries itself."""
    asked: list[set[tuple[str, str]]] = []
    all_of = ledger.log_probs
    monkeypatch.setattr(ledger, "log_probs", lambda policy, keys: asked.append(set(keys)) or all_of(policy, keys))
    ledger.record_log_probs("iterate-1", {("p", f"r{i}"): -1.0 for i in range(100)})
    a, own = response("aaa"), response("b", origin="iterate-1", log_prob=-0.5)
    Scores(ledger)(Counting(), [P, Q, P], [a, own, a])
    assert asked == [{(P.id, a.id)}]


def test_scores_outlive_the_process_that_made_them(ledger: MemoryLedger):
    made = Scores(ledger)(Counting(), [P], [response("a")])
    policy = Counting()
    assert torch.equal(Scores(ledger)(policy, [P], [response("a")]), made)
    assert policy.calls == []


def test_a_response_of_the_policy_itself_needs_no_scoring(ledger: MemoryLedger):
    policy = Counting()
    own = [response("a", origin="iterate-1", log_prob=-x) for x in (0.1, 0.2)]
    assert torch.equal(Scores(ledger)(policy, [P, Q], own), torch.tensor([-0.1, -0.2]))
    assert policy.calls == []
    assert ledger.log_probs("iterate-1") == {}


def test_a_response_whose_log_probability_is_not_known_is_scored(ledger: MemoryLedger):
    policy = Counting()
    own = replace(response("a", origin="iterate-1"), log_prob=float("nan"))
    assert torch.equal(Scores(ledger)(policy, [P], [own]), torch.tensor([-2 / 3]))
    assert len(policy.calls) == 1


def test_policies_have_scores_of_their_own(ledger: MemoryLedger):
    scores = Scores(ledger)
    scores(Counting(), [P], [response("a")])
    other = Counting(name="iterate-2")
    scores(other, [P], [response("a")])
    assert len(other.calls) == 1


def test_no_responses_cost_nothing(ledger: MemoryLedger):
    policy = Counting()
    assert Scores(ledger)(policy, [], []).shape == (0,)
    assert policy.calls == []


def test_every_response_needs_its_prompt(ledger: MemoryLedger):
    with pytest.raises(ValueError, match="argument 2 is longer"):
        Scores(ledger)(Counting(), [P], [response("a"), response("b")])

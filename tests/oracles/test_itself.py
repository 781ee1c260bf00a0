"""The policy's own verdicts against the formulas, for policies that are tables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch

from boldly.errors import OracleError, PromptsError
from boldly.oracles.bradley_terry import sigmoid
from boldly.oracles.itself import NO, YES, Itself, Says, balance, itself, question
from boldly.oracles.protocol import Following, Oracle
from boldly.testing import OracleContract, query, swapped
from boldly.testing.build import response
from boldly.types import Abstention, Failure, Message, Preference, Prompt, Query, Tie


@dataclass
class Table:
    """log pi of a response is `per_byte` times its bytes plus `per_b` times its letters b."""

    name: str
    per_byte: float = -1.0
    per_b: float = 0.0
    calls: list[int] = field(default_factory=list)

    def log_probs(self, prompts: Sequence[Prompt], responses: Sequence[Any]) -> torch.Tensor:
        self.calls.append(len(responses))
        return torch.tensor(
            [self.per_byte * len(r.text) + self.per_b * r.text.count("b") for r in responses], dtype=torch.float64
        )

    def sample(self, prompts: Any, n: int, *, seed: int) -> Any: ...
    def features(self, prompts: Any, responses: Any) -> Any: ...
    def freeze(self, name: str) -> Any: ...
    def average(self, other: Any, weight: float, name: str) -> Any: ...
    @property
    def feature_weights(self) -> Any: ...


@dataclass
class Talker(Table):
    """Says yes with the logit `skill` * (bytes of the first - bytes of the second answer) + `lean`, with `mass`."""

    skill: float = 0.5
    lean: float = 0.0
    mass: float = 0.9

    def say(self, questions: Sequence[Prompt], answers: Sequence[Sequence[str]]) -> torch.Tensor:
        assert tuple(answers) == (YES, NO)
        return torch.tensor([self._said(asked.text) for asked in questions], dtype=torch.float64)

    def _said(self, text: str) -> list[float]:
        if "unreadable" in text:
            raise PromptsError("the prompt has 9999 tokens; the model reads 10.")
        first, second = (text.split(f"[{place} answer]\n")[1].split("\n\n")[0] for place in ("first", "second"))
        logit = self.skill * (len(first) - len(second)) + self.lean
        return [math.log(self.mass * sigmoid(logit)), math.log(self.mass * sigmoid(-logit))]


REFERENCE = Table("iterate-0")
MOVED = Table("iterate-1", per_b=0.5)


def implicit(**options: Any) -> Itself:
    return Itself("implicit", **options).following(MOVED, REFERENCE)


def asking(talker: Table, **options: Any) -> Itself:
    return Itself("question", **options).following(talker, REFERENCE)


def one(oracle: Itself, asked: Query) -> Any:
    (said,) = oracle([asked])
    assert (said.price, said.provenance) == (0.0, "self_made")
    return said


class TestImplicit(OracleContract):
    def make(self, seed: int) -> Oracle:
        return itself(by="implicit", gamma=0.01, seed=seed).following(MOVED, REFERENCE)


class TestImplicitSoft(OracleContract):
    def make(self, seed: int) -> Oracle:
        return itself(by="implicit", scale=2.0, seed=seed).following(MOVED, REFERENCE)


class TestQuestion(OracleContract):
    def make(self, seed: int) -> Oracle:
        return itself(seed=seed).following(Talker("iterate-1", lean=1.0), REFERENCE)


class TestQuestionSoft(OracleContract):
    def make(self, seed: int) -> Oracle:
        return itself(scale=1.0, seed=seed).following(Talker("iterate-1", lean=1.0), REFERENCE)


@pytest.mark.parametrize("by", ["implicit", "question"])
def test_it_is_an_oracle_that_follows(by: Any):
    oracle = itself(by=by)
    assert isinstance(oracle, Oracle)
    assert isinstance(oracle, Following)
    assert oracle.reward is None
    assert oracle.name == f"self:{by}"
    with pytest.raises(OracleError, match=r"oracle.following\(policy, reference\)"):
        list(oracle([query()]))


def test_the_implicit_reward_is_the_formula():
    """Two b's more are 2 * 0.5 nats, at 0.3 a nat; one byte more costs 0.04."""
    asked = query(a="abb", b="aa")
    said = one(implicit(beta=0.3, gamma=0.04, scale=2.0), asked)
    difference = 0.3 * 2 * 0.5 - 0.04
    assert said.facts["difference"] == pytest.approx(difference, abs=1e-12)
    assert said.verdict.probability == pytest.approx(sigmoid(2.0 * difference), abs=1e-12)
    assert one(implicit(beta=0.3, gamma=0.04), asked).verdict == Preference(1.0)
    assert one(implicit(beta=0.3, gamma=0.04), swapped(asked)).verdict == Preference(0.0)
    assert one(implicit(beta=0.3, gamma=0.4), asked).verdict == Preference(0.0)
    assert one(implicit(beta=0.3, gamma=0.04, margin=0.27), asked).verdict == Tie()
    assert one(implicit(beta=0.3, gamma=0.04, margin=0.25), asked).verdict == Preference(1.0)


@pytest.mark.parametrize("scale", [None, 1.0])
def test_it_abstains_where_the_policy_is_its_reference(scale: float | None):
    same = Table("iterate-0")
    said = one(Itself("implicit", scale=scale).following(same, REFERENCE), query())
    assert said.verdict == Abstention()
    assert "no opinion" in said.facts["note"]
    assert same.calls == []
    renamed = Table("iterate-1")
    assert one(Itself("implicit", scale=scale).following(renamed, REFERENCE), query()).verdict == Abstention()
    # It moved on b's alone: of two responses without any it has no opinion.
    assert one(implicit(scale=scale), query(a="aaa", b="a")).verdict == Abstention()


def test_what_is_not_finite_is_a_failure():
    broken = Table("iterate-1", per_b=math.inf)
    said = one(Itself("implicit", gamma=0.0).following(broken, REFERENCE), query(a="b", b="a"))
    assert isinstance(said.verdict, Failure)
    assert "not finite" in said.verdict.reason
    talker = Talker("iterate-1", skill=math.nan)
    assert isinstance(one(asking(talker), query()).verdict, Failure)


def test_both_responses_of_all_queries_are_scored_at_once():
    policy = Table("iterate-1", per_b=0.5)
    list(Itself("implicit", gamma=0.0).following(policy, REFERENCE)([query(n) for n in range(20)]))
    assert policy.calls == [40]


def test_balance_is_the_argmin_that_dice_searches_for():
    """Against a fine grid, on 100 random rounds: the mean excess of preferred over other lengths is least there."""
    generator = np.random.default_rng(0)
    for _ in range(100):
        n = int(generator.integers(2, 30))
        longer = generator.integers(-20, 21, n)
        differences = 0.03 * longer + generator.normal(0, 0.5, n)
        gamma = balance(differences.tolist(), longer.tolist())

        def excess(g: float, differences: Any = differences, longer: Any = longer) -> float:
            return abs((np.sign(differences - g * longer) * longer).mean())

        searched = min(excess(g) for g in np.linspace(-2.0, 2.0, 401))
        # At gamma itself one pair ties; just beside it that pair is preferred one way or the other.
        assert min(excess(gamma - 1e-9), excess(gamma), excess(gamma + 1e-9)) <= searched + 1e-12


@pytest.mark.parametrize(
    ("differences", "longer", "expected"),
    [([], [], 0.0), ([1.0, 2.0], [0, 0], 0.0), ([0.6], [2], 0.3), ([0.6], [-2], -0.3), ([math.nan, 0.6], [5, 2], 0.3)],
)
def test_balance_of_little(differences: list[float], longer: list[int], expected: float):
    assert balance(differences, longer) == pytest.approx(expected)


def test_a_round_is_balanced_and_a_liking_for_length_alone_says_nothing():
    """A policy that likes every byte the same has one reward per token, and with that taken off nothing is left."""
    texts = ["b" * n for n in range(1, 12)]
    asked = [query(i, a=texts[i], b=texts[-1 - i]) for i in range(11) if i != 5]
    oracle = Itself("implicit").following(MOVED, REFERENCE, asked)
    assert oracle.correction == pytest.approx(0.1 * 0.5, abs=1e-9)
    assert all(abs(said.facts["difference"]) < 1e-9 for said in oracle(asked))
    assert all(
        said.verdict == Preference(float(len(said.query.a.text) > len(said.query.b.text))) for said in implicit()(asked)
    )


def test_a_run_that_was_stopped_goes_on_with_the_rounds_gamma():
    generator = np.random.default_rng(1)
    asked = [
        query(i, a="a" * int(generator.integers(1, 9)) + "b" * int(generator.integers(0, 5)), b="ab") for i in range(30)
    ]
    whole = {said.query.id: said.verdict for said in Itself("implicit").following(MOVED, REFERENCE, asked)(asked)}
    rest = Itself("implicit").following(MOVED, REFERENCE, asked)(asked[20:])
    assert all(whole[said.query.id] == said.verdict for said in rest)


def test_asking_is_the_formula_and_a_liking_for_yes_cancels():
    asked = query(a="aaa", b="b")
    for lean in (0.0, 3.0, -3.0):
        said = one(asking(Talker("iterate-1", lean=lean), scale=1.0), asked)
        assert said.verdict.probability == pytest.approx(sigmoid(0.5 * 2), abs=1e-9)
        assert said.facts["logits"] == pytest.approx([1.0 + lean, -1.0 + lean], abs=1e-9)
        assert said.facts["order"] == "both"
        assert said.facts["said"] == pytest.approx(0.9)


def test_orders_that_disagree_tie_unless_the_labels_are_soft():
    asked = query(a="aaa", b="b")
    assert one(asking(Talker("iterate-1")), asked).verdict == Preference(1.0)
    assert one(asking(Talker("iterate-1")), swapped(asked)).verdict == Preference(0.0)
    assert one(asking(Talker("iterate-1", lean=1.5)), asked).verdict == Tie()
    assert one(asking(Talker("iterate-1"), margin=1.01), asked).verdict == Tie()


def test_a_policy_that_says_neither_abstains():
    said = one(asking(Talker("iterate-1", mass=0.04), scale=1.0), query())
    assert said.verdict == Abstention()
    assert "neither yes nor no" in said.facts["note"]
    assert said.facts["said"] == pytest.approx(0.04)


def test_a_question_that_can_not_be_read_fails_alone():
    bad, good = query(0, a="unreadable", b="b"), query(1)
    said = {answer.query.id: answer for answer in asking(Talker("iterate-1"))([good, bad])}
    assert isinstance(said[bad.id].verdict, Failure)
    assert "9999 tokens" in said[bad.id].verdict.reason
    assert said[bad.id].provenance == "self_made"
    assert said[good.id].verdict == Preference(1.0)


def test_a_policy_without_a_voice_is_refused():
    assert not isinstance(MOVED, Says)
    with pytest.raises(OracleError, match="by: implicit"):
        Itself("question").following(MOVED, REFERENCE)


def test_the_question_holds_everything_verbatim():
    prompt = Prompt((Message("user", "{first} {second}"), Message("assistant", "%s {prompt}"), Message("user", "so ?")))
    asked = question(prompt, response("{second} one"), response("two \\1 {}"))
    assert asked.text.count(prompt.text) == 1
    assert asked.text.index("{second} one") < asked.text.index("two \\1 {}")
    assert question(prompt, response("x"), response("y")) != question(prompt, response("y"), response("x"))


def test_settings_that_matter_change_the_config():
    base = Itself("implicit", gamma=0.0)
    variants = [base, *(replace(base, **{key: 0.5}) for key in ("beta", "gamma", "scale", "margin")), Itself()]
    configs = [one(v.following(Talker("iterate-1", per_b=0.5), REFERENCE), query()).facts["config"] for v in variants]
    assert len(set(configs)) == len(configs)

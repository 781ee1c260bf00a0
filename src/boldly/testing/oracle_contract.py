"""What every oracle keeps: the law of `boldly.oracles.protocol.Oracle`, clause by clause."""

import json
import math
from abc import ABC, abstractmethod

from boldly.oracles.protocol import Oracle
from boldly.testing.build import query, swapped
from boldly.testing.contract import Contract
from boldly.types import Failure, Preference, Query, Verdict, preference_of

WORDS = ("", "b", "aaa", "a longer answer", "b" * 40)


def queries(n: int) -> list[Query]:
    """`n` different queries about responses of different lengths."""
    return [query(place, a=WORDS[place % 5], b=WORDS[place // 5 % 5]) for place in range(n)]


def answers(oracle: Oracle, asked: list[Query]) -> dict[str, Verdict]:
    return {said.query.id: said.verdict for said in oracle(asked)}


class OracleContract(Contract, ABC):
    """Inherit it, and return an oracle whose draws depend on `seed`, if it draws, from `make`."""

    @abstractmethod
    def make(self, seed: int) -> Oracle:
        """Return an oracle whose draws depend on `seed`, if it draws."""

    def test_every_query_gets_one_verdict(self):
        asked = queries(25)
        told = list(self.make(0)(asked))
        assert sorted(said.query.id for said in told) == sorted(one.id for one in asked)
        assert list(self.make(0)([])) == []

    def test_some_verdicts_say_something(self):
        told = answers(self.make(0), queries(25)).values()
        assert any(preference_of(verdict) is not None for verdict in told)
        assert all(0.0 <= verdict.probability <= 1.0 for verdict in told if isinstance(verdict, Preference))

    def test_failures_say_nothing_and_why(self):
        told = answers(self.make(0), queries(25)).values()
        assert all(verdict.reason for verdict in told if isinstance(verdict, Failure))
        assert all(preference_of(verdict) is None for verdict in told if isinstance(verdict, Failure))

    def test_the_places_of_the_responses_make_no_difference(self):
        """The mean of p(a, b) + p(b, a) - 1 over n draws has a deviation of at most sqrt(1 / (2 n)).

        An oracle that keeps the law fails this at 5 deviations, less than once in 10^6 seeds.
        """
        asked = queries(1000)
        forward, back = answers(self.make(0), asked), answers(self.make(0), [swapped(one) for one in asked])
        both = [(preference_of(forward[one.id]), preference_of(back[swapped(one).id])) for one in asked]
        off = [p + q - 1.0 for p, q in both if p is not None and q is not None]
        assert len(off) >= 100
        assert abs(sum(off) / len(off)) <= 5.0 * math.sqrt(0.5 / len(off))

    def test_a_verdict_depends_on_the_seed_and_the_query_alone(self):
        asked = queries(50)
        alone = {said.query.id: said.verdict for one in reversed(asked) for said in self.make(7)([one])}
        assert answers(self.make(7), asked) == alone

    def test_it_has_a_name_and_a_bound_that_holds(self):
        oracle = self.make(0)
        assert oracle.name
        for said in oracle(queries(25)):
            assert 0.0 <= (said.price or 0.0) <= oracle.bound(said.query) < math.inf

    def test_what_is_kept_with_a_verdict_is_json(self):
        for said in self.make(0)(queries(25)):
            assert json.loads(json.dumps(dict(said.facts))) == said.facts

    def test_its_reward_is_a_number_for_every_response(self):
        reward = self.make(0).reward
        if reward is not None:
            assert all(math.isfinite(reward(one.prompt, one.a)) for one in queries(25))

"""Clauses on queries, and on the order they come back in."""

from dataclasses import replace

from boldly.ledger.protocol import Ledger
from boldly.testing.build import query, response
from boldly.types import Message, Prompt, Query


class Asking:
    """What is asked is stored once, and comes back exactly and in its order."""

    def test_queries_come_back_in_the_order_they_were_asked(self, ledger: Ledger):
        asked = [query(place) for place in (3, 1, 2)]
        ledger.ask(asked)
        ledger.ask([query(9, round=1), query(8, account="evaluation")])
        assert ledger.queries(0) == tuple(asked)
        assert ledger.queries(1) == (query(9, round=1),)
        assert ledger.queries(0, "evaluation") == (query(8, account="evaluation"),)
        assert ledger.queries(2) == ()

    def test_asking_again_changes_nothing(self, ledger: Ledger):
        ledger.ask([query(0)])
        ledger.ask([replace(query(0), explore=response("aaa")), query(1), query(1)])
        assert ledger.queries(0) == (query(0), query(1))

    def test_one_answer_to_two_prompts_keeps_both_log_probabilities(self, ledger: Ledger):
        first, second = query(0), query(1)
        second = replace(second, a=replace(second.a, log_prob=-7.25))
        assert first.a.id == second.a.id
        ledger.ask([first, second])
        assert ledger.queries(0) == (first, second)

    def test_what_is_stored_first_stands(self, ledger: Ledger):
        first = query(0)
        again = replace(first, round=1, a=replace(first.a, log_prob=-99.0))
        ledger.ask([first])
        ledger.ask([again])
        assert ledger.queries(1)[0].a.log_prob == first.a.log_prob

    def test_values_come_back_exactly(self, ledger: Ledger):
        odd = Prompt((Message("system", "\x00 \ud83d é"), Message("user", "")), {"answer": [1, {"x": None}], "é": 0.1})
        numbers = (-0.1, -1e-308, 5e-324, -1.7976931348623157e308, float("-inf"), -1 / 3)
        asked = [
            Query(odd, replace(response("\x00"), log_prob=x, tokens=(0, 2**31 - 1)), response("", log_prob=x), 7, place)
            for place, x in enumerate(numbers)
        ]
        asked = [replace(q, a=replace(q.a, text=f"{place}", ended=False)) for place, q in enumerate(asked)]
        asked = [replace(q, b=replace(q.b, sampled_log_prob=-2.5, text=f"b{place}")) for place, q in enumerate(asked)]
        asked[0] = replace(asked[0], explore=asked[0].b)
        asked[1] = replace(asked[1], explore=response("a third"))
        ledger.ask(asked)
        assert ledger.queries(7) == tuple(asked)
        assert [q.a.log_prob.hex() for q in ledger.queries(7)] == [x.hex() for x in numbers]

    def test_a_log_probability_that_is_not_known_stays_so(self, ledger: Ledger):
        asked = query(0)
        ledger.ask([replace(asked, a=replace(asked.a, log_prob=float("nan")))])
        assert str(ledger.queries(0)[0].a.log_prob) == "nan"

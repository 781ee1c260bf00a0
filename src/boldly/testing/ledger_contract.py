"""What every ledger keeps: the law of `boldly.ledger.protocol.Ledger`, clause by clause."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from boldly.errors import BudgetSpent, InvalidInput, StorageError
from boldly.ledger.marks import Extent, Mark, mark_of
from boldly.ledger.protocol import Attempt, Budget, Iterate, Ledger, Spent, Step
from boldly.testing.build import query, response
from boldly.types import (
    ACCOUNTS,
    Abstention,
    Account,
    BothBad,
    Failure,
    Label,
    Message,
    Preference,
    Prompt,
    Provenance,
    Query,
    Tie,
    Verdict,
)

FREE = Budget(labels=None)


def reserve(ledger: Ledger, asked: Query, budget: Budget = FREE, bound: float = 0.0) -> Attempt:
    return ledger.reserve(asked.id, bound=bound, budget=budget)


def buy(ledger: Ledger, asked: Query, verdict: Verdict, budget: Budget = FREE, price: float = 0.0) -> Label | None:
    attempt = reserve(ledger, asked, budget, price)
    return ledger.tell(attempt.id, verdict, source="judge", price=price)


class LedgerContract:
    """Inherit it, and return a new ledger, kept in `folder` if it is kept anywhere, from `make`."""

    def make(self, folder: Path) -> Ledger:
        raise NotImplementedError

    @pytest.fixture
    def ledger(self, tmp_path: Path, request: pytest.FixtureRequest) -> Ledger:
        made = self.make(tmp_path)
        request.addfinalizer(made.close)  # noqa: PT021 (run-time type checks hide a generator from pytest)
        return made

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

    @pytest.mark.parametrize("verdict", [Preference(1.0), Preference(1 / 3), Tie(), BothBad(), Abstention()], ids=str)
    def test_a_verdict_becomes_the_label_of_its_query(self, ledger: Ledger, verdict: Verdict):
        ledger.ask([query(0), query(1)])
        label = buy(ledger, query(1), verdict, price=0.25)
        assert label is not None
        assert (label.sequence, label.query, label.verdict) == (0, query(1), verdict)
        assert (label.source, label.price) == ("judge", 0.25)
        assert ledger.labels() == (label,)
        assert ledger.waiting(0) == (query(0),)

    def test_labels_are_numbered_over_all_accounts(self, ledger: Ledger):
        asked = [query(0), query(1, account="evaluation"), query(2), query(3), query(4, account="consistency")]
        ledger.ask(asked)
        verdicts = [Tie(), Tie(), Failure("down"), Tie(), BothBad()]
        told = [buy(ledger, one, verdict) for one, verdict in zip(asked, verdicts, strict=True)]
        assert [label and label.sequence for label in told] == [0, 1, None, 2, 3]
        numbers = {account: [label.sequence for label in ledger.labels(account)] for account in ACCOUNTS}
        assert numbers == {"training": [0, 2], "evaluation": [1], "consistency": [3]}

    def test_labels_keep_the_order_of_purchase(self, ledger: Ledger):
        ledger.ask([query(place) for place in range(4)])
        for place in (2, 0, 3, 1):
            buy(ledger, query(place), Tie())
        assert [label.query.place for label in ledger.labels()] == [2, 0, 3, 1]

    def test_telling_again_changes_nothing(self, ledger: Ledger):
        ledger.ask([query(0)])
        attempt = reserve(ledger, query(0))
        first = ledger.tell(attempt.id, Preference(1.0), source="judge", price=0.0)
        again = ledger.tell(attempt.id, Preference(0.0), source="other", price=0.0)
        assert again == first
        assert ledger.labels() == (first,)
        assert ledger.spent() == Spent(labels=1, preferences=1)

    def test_a_second_label_is_surplus(self, ledger: Ledger):
        ledger.ask([query(0), query(1)])
        first = buy(ledger, query(0), Preference(1.0), price=0.5)
        second = buy(ledger, query(0), Tie(), price=0.5)
        third = buy(ledger, query(1), Tie())
        assert second == first
        assert third is not None
        assert third.sequence == 1
        assert ledger.labels() == (first, third)
        assert ledger.spent() == Spent(labels=3, preferences=1, ties=2, surplus=1, money=1.0)

    def test_a_failure_is_no_label(self, ledger: Ledger):
        ledger.ask([query(0)])
        assert buy(ledger, query(0), Failure("HTTP 503"), price=0.25) is None
        assert ledger.labels() == ()
        assert ledger.waiting(0) == (query(0),)
        assert ledger.spent() == Spent(failed=1, money=0.25)
        assert buy(ledger, query(0), Tie()) is not None
        assert ledger.attempts(query(0).id) == 2

    def test_attempts_are_numbered_for_each_query(self, ledger: Ledger):
        ledger.ask([query(0), query(1)])
        made = [reserve(ledger, query(place)) for place in (0, 1, 0)]
        assert [(one.query_id, one.number) for one in made] == [(query(0).id, 1), (query(1).id, 1), (query(0).id, 2)]
        assert len({one.id for one in made}) == 3
        assert [ledger.attempts(query(place).id) for place in (0, 1, 2)] == [2, 1, 0]

    def test_every_kind_is_counted_in_its_account(self, ledger: Ledger):
        kinds: list[Verdict] = [Preference(0.5), Tie(), BothBad(), Abstention(), Failure("")]
        asked = [query(place, account="evaluation") for place in range(6)]
        ledger.ask(asked)
        for one, verdict in zip(asked, kinds, strict=False):
            buy(ledger, one, verdict, price=0.1)
        reserve(ledger, asked[5], bound=0.3)
        expected = Spent(4, preferences=1, ties=1, both_bad=1, abstentions=1, failed=1, open=1, money=0.8)
        assert ledger.spent("evaluation") == expected
        assert ledger.spent() == Spent()
        assert ledger.spent("consistency") == Spent()

    def test_the_budget_of_labels_counts_answers_and_open_attempts(self, ledger: Ledger):
        ledger.ask([query(place) for place in range(4)])
        budget = Budget(labels=2)
        buy(ledger, query(0), Abstention(), budget)
        attempt = reserve(ledger, query(1), budget)
        with pytest.raises(BudgetSpent, match="2 labels"):
            reserve(ledger, query(2), budget)
        ledger.tell(attempt.id, Failure("down"), source="judge", price=0.0)
        buy(ledger, query(2), Tie(), budget)
        with pytest.raises(BudgetSpent):
            reserve(ledger, query(3), budget)
        assert ledger.attempts(query(3).id) == 0
        assert ledger.spent().labels == 2

    def test_the_budget_of_money_counts_bounds(self, ledger: Ledger):
        ledger.ask([query(place) for place in range(12)])
        budget = Budget(labels=None, money=1.0)
        for place in range(10):
            assert buy(ledger, query(place), Tie(), budget, price=0.1) is not None
        assert ledger.spent().money == 1.0
        with pytest.raises(BudgetSpent, match=r"may cost 0\.1"):
            reserve(ledger, query(10), budget, bound=0.1)
        assert reserve(ledger, query(10), budget, bound=0.0)

    def test_a_settled_price_frees_the_rest_of_its_bound(self, ledger: Ledger):
        ledger.ask([query(0), query(1)])
        budget = Budget(labels=None, money=1.0)
        attempt = reserve(ledger, query(0), budget, bound=0.9)
        with pytest.raises(BudgetSpent):
            reserve(ledger, query(1), budget, bound=0.5)
        ledger.tell(attempt.id, Tie(), source="judge", price=0.2)
        assert reserve(ledger, query(1), budget, bound=0.8)
        assert ledger.spent().money == 1.0

    def test_the_budget_of_one_account_is_not_another_s(self, ledger: Ledger):
        asked = [query(place, account=account) for place, account in enumerate(ACCOUNTS)]
        ledger.ask(asked)
        for one in asked:
            assert buy(ledger, one, Tie(), Budget(labels=1, money=0.5), price=0.5) is not None
        assert [ledger.spent(account).labels for account in ACCOUNTS] == [1, 1, 1]

    def test_a_budget_below_what_is_spent_buys_nothing(self, ledger: Ledger):
        ledger.ask([query(place) for place in range(3)])
        for place in range(2):
            buy(ledger, query(place), Tie(), Budget(labels=2), price=0.5)
        for budget in (Budget(labels=1), Budget(labels=None, money=0.25), Budget(labels=0)):
            with pytest.raises(BudgetSpent):
                reserve(ledger, query(2), budget)
        assert len(ledger.labels()) == 2
        assert buy(ledger, query(2), Tie(), Budget(labels=3)) is not None

    @pytest.mark.parametrize("provenance", ["bought", "recorded", "self_made"])
    def test_where_a_label_comes_from_is_kept_and_counted(self, ledger: Ledger, provenance: Provenance):
        ledger.ask([query(0), query(1)])
        for verdict in (Failure("down"), Tie(), BothBad()):
            attempt = reserve(ledger, query(0))
            ledger.tell(attempt.id, verdict, source="judge", price=0.0, provenance=provenance)
        buy(ledger, query(1), Tie())
        assert [label.provenance for label in ledger.labels()] == [provenance, "bought"]
        spent = ledger.spent()
        assert (spent.labels, spent.surplus, spent.failed) == (3, 1, 1)
        counted = {"bought": spent.bought, "recorded": spent.recorded, "self_made": spent.self_made}
        assert counted == {"bought": 1, "recorded": 0, "self_made": 0} | {provenance: 2 + (provenance == "bought")}

    def test_facts_of_a_label_come_back_exactly(self, ledger: Ledger):
        facts = {"order": "ba", "annotator": "\ud83d é \x00", "margin": -1 / 3, "scores": [1, {"a": None}], "é": True}
        ledger.ask([query(0), query(1)])
        attempt = reserve(ledger, query(0))
        told = ledger.tell(attempt.id, Tie(), source="judge", price=0.0, facts=facts)
        plain = buy(ledger, query(1), Tie())
        facts["order"] = "changed by the caller"
        assert told is not None
        assert plain is not None
        assert told.facts == {**facts, "order": "ba"}
        assert plain.facts == {}
        assert ledger.labels() == (told, plain)
        assert ledger.tell(attempt.id, Tie(), source="judge", price=0.0) == told

    def test_an_abandoned_attempt_costs_money_but_no_label(self, ledger: Ledger):
        ledger.ask([query(0)])
        attempt = reserve(ledger, query(0), Budget(labels=1), bound=0.5)
        assert ledger.abandon() == 1
        assert ledger.abandon() == 0
        assert ledger.spent() == Spent(unknown=1, money=0.5)
        assert ledger.tell(attempt.id, Tie(), source="judge", price=0.5) is None
        assert buy(ledger, query(0), Tie(), Budget(labels=1, money=1.0), price=0.5) is not None

    def test_only_the_attempts_of_one_holder_are_abandoned(self, ledger: Ledger):
        ledger.ask([query(place) for place in range(3)])
        by_anna = ledger.reserve(query(0).id, bound=0.5, budget=FREE, holder="anna")
        reserve(ledger, query(1), bound=0.25)
        reserve(ledger, query(2), bound=0.25)
        assert ledger.abandon("nobody") == 0
        assert ledger.abandon() == 2
        assert ledger.spent() == Spent(unknown=2, open=1, money=1.0)
        assert ledger.tell(by_anna.id, Tie(), source="anna", price=0.0) is not None
        assert ledger.abandon("anna") == 0
        assert ledger.spent() == Spent(labels=1, ties=1, unknown=2, money=0.5)

    def test_a_failure_is_not_unknown(self, ledger: Ledger):
        ledger.ask([query(0)])
        buy(ledger, query(0), Failure("down"), price=0.5)
        reserve(ledger, query(0), bound=0.25)
        ledger.abandon()
        assert ledger.spent() == Spent(failed=1, unknown=1, money=0.75)
        assert ledger.attempts(query(0).id) == 2

    def test_an_abandoned_metered_attempt_costs_what_its_calls_may_have_cost(self, ledger: Ledger):
        ledger.ask([query(place) for place in range(3)])
        for place in range(3):
            ledger.reserve(query(place).id, bound=1.0, budget=FREE, metered=place < 2)
        received = ledger.send(query(0).id, key="k0", bound=0.25)
        ledger.receive(received, price=0.1, answer={"said": "A"})
        refused = ledger.send(query(0).id, key="k1", bound=0.25)
        ledger.receive(refused, price=0.0, answer=None, reason="HTTP 429")
        ledger.send(query(0).id, key="k1", bound=0.25)
        ledger.send(query(2).id, key="k2", bound=0.25)
        assert ledger.spent() == Spent(open=3, money=3.0)
        assert ledger.abandon() == 3
        assert ledger.spent() == Spent(unknown=3, money=0.1 + 0.25 + 0.0 + 1.0)

    def test_a_call_is_recalled_by_its_first_answer(self, ledger: Ledger):
        answer = {"text": "\ud83d \x00 é", "tokens": [1, None, 0.1], "usage": {"in": 12}}
        ledger.ask([query(0), query(1)])
        assert ledger.recall("k") is None
        for place in range(2):
            ledger.reserve(query(place).id, bound=1.0, budget=FREE, metered=True)
        calls = [ledger.send(query(place).id, key="k", bound=0.25) for place in (0, 1, 0)]
        assert len(set(calls)) == 3
        ledger.receive(calls[0], price=0.0, answer=None, reason="cut off: \ud83d \x00")
        assert ledger.recall("k") is None
        ledger.receive(calls[2], price=0.25, answer=answer)
        ledger.receive(calls[1], price=0.25, answer={"text": "B"})
        ledger.receive(calls[0], price=0.25, answer={"text": "C"})
        assert ledger.recall("k") == answer
        assert ledger.recall("another") is None

    def test_a_call_that_was_received_is_left_alone(self, ledger: Ledger):
        ledger.ask([query(0)])
        ledger.reserve(query(0).id, bound=0.5, budget=FREE, metered=True)
        call = ledger.send(query(0).id, key="k", bound=0.5)
        ledger.receive(call, price=0.125, answer=None, reason="HTTP 500")
        ledger.receive(call, price=0.5, answer={"said": "A"})
        assert ledger.recall("k") is None
        ledger.abandon()
        assert ledger.spent().money == 0.125

    def test_a_call_that_does_not_fit_its_attempt_is_refused(self, ledger: Ledger):
        ledger.ask([query(0), query(1)])
        with pytest.raises(InvalidInput, match="no open attempt"):
            ledger.send(query(0).id, key="k", bound=0.0)
        attempt = ledger.reserve(query(0).id, bound=0.3, budget=FREE, metered=True)
        first = ledger.send(query(0).id, key="k", bound=0.1)
        ledger.send(query(0).id, key="k", bound=0.1)
        with pytest.raises(InvalidInput, match=r"a call of at most 0\.15 doesn't fit .* reserved at 0\.3"):
            ledger.send(query(0).id, key="k", bound=0.15)
        with pytest.raises(InvalidInput, match=r"reserved at 0\.1 at most and can't be settled at 0\.2"):
            ledger.receive(first, price=0.2, answer={})
        ledger.receive(first, price=0.05, answer={})
        ledger.send(query(0).id, key="k", bound=0.15)
        ledger.tell(attempt.id, Failure("down"), source="judge", price=0.3)
        with pytest.raises(InvalidInput, match="no open attempt"):
            ledger.send(query(0).id, key="k", bound=0.0)
        with pytest.raises(InvalidInput, match="no open attempt"):
            ledger.send(query(1).id, key="k", bound=0.0)

    def test_a_call_belongs_to_the_newest_open_attempt(self, ledger: Ledger):
        ledger.ask([query(0)])
        attempts = [ledger.reserve(query(0).id, bound=bound, budget=FREE, metered=True) for bound in (0.5, 0.25)]
        ledger.send(query(0).id, key="k", bound=0.25)
        ledger.tell(attempts[1].id, Tie(), source="judge", price=0.25)
        ledger.send(query(0).id, key="k", bound=0.5)
        assert ledger.abandon() == 1
        assert ledger.spent() == Spent(labels=1, ties=1, unknown=1, money=0.75)

    def test_a_price_above_its_bound_is_refused(self, ledger: Ledger):
        ledger.ask([query(0)])
        attempt = reserve(ledger, query(0), bound=0.1)
        with pytest.raises(InvalidInput, match=r"reserved at 0\.1 at most and can't be settled at 0\.2"):
            ledger.tell(attempt.id, Tie(), source="judge", price=0.2)
        assert ledger.labels() == ()
        assert ledger.spent().open == 1
        assert ledger.tell(attempt.id, Tie(), source="judge", price=0.1) is not None

    @pytest.mark.parametrize("price", [-0.1, float("nan"), float("inf")])
    def test_a_price_that_is_none_is_refused(self, ledger: Ledger, price: float):
        ledger.ask([query(0)])
        with pytest.raises(InvalidInput, match="price"):
            reserve(ledger, query(0), bound=price)
        assert ledger.spent() == Spent()

    def test_what_was_never_stored_is_refused(self, ledger: Ledger):
        with pytest.raises(InvalidInput, match="no query"):
            reserve(ledger, query(0))
        with pytest.raises(InvalidInput, match="no attempt"):
            ledger.tell(0, Tie(), source="judge", price=0.0)
        with pytest.raises(InvalidInput, match="no call"):
            ledger.receive(0, price=0.0, answer=None)
        assert ledger.attempts(query(0).id) == 0
        ledger.ask([query(0)])
        assert buy(ledger, query(0), Tie()) is not None

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

    def test_threads_that_reserve_at_once_never_overshoot(self, ledger: Ledger):
        ledger.ask([query(place) for place in range(24)])
        budget, start, sums = Budget(labels=10, money=0.7), threading.Barrier(4), list[Spent]()

        def buyer(places: range) -> int:
            start.wait()
            bought = 0
            for place in places:
                try:
                    bought += buy(ledger, query(place), Tie(), budget, price=0.1) is not None
                except BudgetSpent:
                    continue
                finally:
                    sums.append(ledger.spent())
            return bought

        with ThreadPoolExecutor(4) as pool:
            bought = sum(pool.map(buyer, [range(first, 24, 4) for first in range(4)]))
        assert bought == 7
        assert ledger.spent() == Spent(labels=7, ties=7, money=0.7)
        assert max(spent.money for spent in sums) <= 0.7
        assert [label.sequence for label in ledger.labels()] == list(range(7))

    def test_threads_that_tell_one_attempt_get_one_label(self, ledger: Ledger):
        ledger.ask([query(0)])
        attempts = [reserve(ledger, query(0)) for _ in range(2)]
        calls = list(itertools.product(attempts, (Preference(1.0), Preference(0.0))))
        with ThreadPoolExecutor(4) as pool:
            told = list(pool.map(lambda call: ledger.tell(call[0].id, call[1], source="j", price=0.0), calls))
        assert len(set(told)) == 1
        assert ledger.labels() == (told[0],)
        assert ledger.spent() == Spent(labels=2, preferences=2, surplus=1)

    def test_what_is_written_together_is_read_together(self, ledger: Ledger):
        asked = [query(place) for place in range(3)]

        def work() -> int:
            ledger.ask(asked)
            for one in asked:
                buy(ledger, one, Tie())
            with pytest.raises(BudgetSpent):
                reserve(ledger, asked[0], Budget(labels=3))
            return len(ledger.labels())

        assert ledger.together(work) == 3
        assert ledger.together(lambda: ledger.together(work)) == 3
        assert [label.query for label in ledger.labels()] == asked
        assert ledger.spent().open == 0

    def test_a_price_that_nobody_knows_is_the_most_it_may_have_been(self, ledger: Ledger):
        ledger.ask([query(0), query(1)])
        attempt = reserve(ledger, query(0), bound=0.5)
        assert ledger.tell(attempt.id, Failure("down"), source="judge", price=None) is None
        assert ledger.spent().money == 0.5
        attempt = ledger.reserve(query(1).id, bound=0.5, budget=Budget(labels=None), metered=True)
        paid = ledger.send(query(1).id, key="paid", bound=0.2)
        ledger.receive(paid, price=0.0625, answer=None, reason="garbled")
        ledger.send(query(1).id, key="lost", bound=0.25)
        label = ledger.tell(attempt.id, Tie(), source="judge", price=None)
        assert label is not None
        assert label.price == 0.3125
        assert ledger.spent().money == 0.8125

    @pytest.mark.parametrize("verdict", [Preference(0.0), Tie(), BothBad(), Abstention()], ids=str)
    def test_a_corrected_label_says_what_was_said_last(self, ledger: Ledger, verdict: Verdict):
        ledger.ask([query(place) for place in range(3)])
        told = [buy(ledger, query(place), Preference(1.0), price=0.5) for place in (1, 0)]
        first, spent = told[0], ledger.spent()
        assert first is not None
        assert ledger.labels() == tuple(told)
        facts = {"withdrawn": True, "é": [0.1, "\ud83d"]}
        corrected = ledger.correct(query(1).id, verdict, source="people:é", facts=facts)
        facts["withdrawn"] = "changed by the caller"
        expected = {"withdrawn": True, "é": [0.1, "\ud83d"]}
        changed = replace(first, verdict=verdict, source="people:é", facts=expected, corrected=1, before=first)
        assert corrected == changed
        assert ledger.labels() == (corrected, told[1])
        assert ledger.spent() == spent
        assert ledger.waiting(0) == (query(2),)
        assert ledger.attempts(query(1).id) == 1
        again = ledger.correct(query(1).id, Preference(0.25), source="anna")
        assert again == replace(first, verdict=Preference(0.25), source="anna", corrected=2, before=corrected)
        assert ledger.labels() == (again, told[1])

    def test_corrections_are_numbered_over_all_accounts_and_tell_the_iterates(self, ledger: Ledger):
        asked = [query(0), query(1, account="evaluation"), query(2, account="consistency")]
        ledger.ask(asked)
        for one in asked:
            buy(ledger, one, Tie())
        assert ledger.corrections() == ()
        for one, iterates in ((2, 1), (0, 0), (2, 2), (1, 1)):
            for number in range(iterates):
                ledger.record_iterate(number, name=f"iterate-{number}", labels=0, facts={})
            ledger.correct(asked[one].id, Preference(one / 4), source="anna", facts={"one": one})
        made = ledger.corrections()
        assert [each.number for each in made] == [0, 1, 2, 3]
        assert [each.query_id for each in made] == [asked[one].id for one in (2, 0, 2, 1)]
        assert [each.verdict for each in made] == [Preference(0.5), Preference(0.0), Preference(0.5), Preference(0.25)]
        assert [each.iterates for each in made] == [1, 1, 2, 2]
        assert [each.facts for each in made] == [{"one": one} for one in (2, 0, 2, 1)]
        assert all(each.time and each.source == "anna" for each in made)
        corrected = {account: [label.corrected for label in ledger.labels(account)] for account in ACCOUNTS}
        assert corrected == {"training": [1], "evaluation": [1], "consistency": [2]}

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

    def test_log_probabilities_are_found_by_their_keys(self, ledger: Ledger):
        values = {(f"p{i % 7}", f"r{i}"): -i / 3 for i in range(450)}
        ledger.record_log_probs("iterate-1", values)
        ledger.record_log_probs("iterate-2", {("p0", "r0"): -9.0})
        wanted = [key for i, key in enumerate(values) if i % 2]
        assert ledger.log_probs("iterate-1", [*wanted, ("p1", "r0"), ("p", "r")]) == {k: values[k] for k in wanted}
        assert ledger.log_probs("iterate-2", wanted) == {}
        assert ledger.log_probs("iterate-1", []) == {}

    def test_what_comes_second_after_a_correction_is_surplus_all_the_same(self, ledger: Ledger):
        ledger.ask([query(0)])
        settled, late = (reserve(ledger, query(0)) for _ in range(2))
        ledger.tell(settled.id, Tie(), source="judge", price=0.0)
        corrected = ledger.correct(query(0).id, Abstention(), source="judge")
        assert ledger.tell(settled.id, Tie(), source="judge", price=0.0) == corrected
        assert ledger.tell(late.id, Preference(1.0), source="judge", price=0.0) == corrected
        assert ledger.labels() == (corrected,)
        assert ledger.spent() == Spent(labels=2, preferences=1, ties=1, surplus=1)

    def test_what_can_not_correct_a_label_is_refused(self, ledger: Ledger):
        with pytest.raises(InvalidInput, match="no query"):
            ledger.correct(query(0).id, Tie(), source="anna")
        ledger.ask([query(0)])
        with pytest.raises(InvalidInput, match="no label that could be corrected"):
            ledger.correct(query(0).id, Tie(), source="anna")
        buy(ledger, query(0), Failure("down"))
        with pytest.raises(InvalidInput, match="no label that could be corrected"):
            ledger.correct(query(0).id, Tie(), source="anna")
        label = buy(ledger, query(0), Tie())
        with pytest.raises(InvalidInput, match="can't correct a label"):
            ledger.correct(query(0).id, Failure("down"), source="anna")
        assert ledger.labels() == (label,)
        assert ledger.corrections() == ()

    def test_threads_that_correct_one_label_are_all_counted(self, ledger: Ledger):
        ledger.ask([query(0)])
        buy(ledger, query(0), Tie())
        with ThreadPoolExecutor(4) as pool:
            told = list(pool.map(lambda n: ledger.correct(query(0).id, Preference(n / 8), source="anna"), range(8)))
        assert sorted(label.corrected for label in told) == list(range(1, 9))
        assert ledger.labels() == (max(told, key=lambda label: label.corrected),)
        assert [each.number for each in ledger.corrections()] == list(range(8))

    def test_a_closed_ledger_acknowledges_nothing(self, ledger: Ledger):
        ledger.ask([query(0)])
        ledger.close()
        ledger.close()
        with pytest.raises(StorageError, match="closed"):
            ledger.ask([query(1)])
        with pytest.raises(StorageError, match="closed"):
            ledger.labels()

"""The loop, on policies small enough to be known exactly: Algorithm 1, its resumption, and what it refuses."""

import math
from contextlib import closing
from dataclasses import dataclass, field, replace

import pytest
import torch

from boldly.errors import InvalidInput, WaitingForLabels
from boldly.lab import Feedback, Method, objective
from boldly.lab.classes import grid_of_two_arms
from boldly.lab.feedback import bradley_terry
from boldly.lab.learners import Exact
from boldly.lab.problems.instances import two_arms
from boldly.lab.quantities.value import gap
from boldly.lab.single import single
from boldly.ledger import Budget, MemoryLedger
from boldly.ledger.sql import SqlLedger, file, marking, mirror
from boldly.loop import Loop, Parts, Schedule, rounds
from boldly.objectives import reduce
from boldly.oracles import BradleyTerry, Recorded
from boldly.records import Record, pair_of, pool_of
from boldly.references import fixed
from boldly.samplers import mixture, policy_and_reference, policy_twice
from boldly.selectors import Pick, first_pair, payable, thompson
from boldly.tables import compared, tabulate
from boldly.types import Abstention, Failure, Preference, Prompt, Response, Tie
from tests.support.tabular import MemoryArchive, TabularPolicy


def best_gap(beta, seed, alpha, rounds_):
    """The smallest J_beta(pi*) - J_beta(pi) of the iterates of a run on Proposition 2.1 of arXiv 2405.21046.

    The good arm has mass exp(-1/(8 beta)), its rival reward 1/2; the argmin is exact over a grid of policies with
    V_max = 1, and its ties go to the reference.
    """
    problem = two_arms(beta)
    method = Method("xpo", objective("xpo", beta=beta, alpha=alpha), Exact(grid_of_two_arms(problem)))
    loop, oracle = single(problem, method, Feedback(bradley_terry()), rounds=rounds_, seed=seed)
    iterates = [loop.archive[0], *(done.policy for done in rounds(loop, oracle))]
    return min(float(gap(problem, policy.log_pi)) for policy in iterates)


def success(beta, alpha, seeds, rounds_=200):
    gaps = [best_gap(beta, seed, alpha, rounds_) for seed in seeds]
    return sum(found < 1 / 8 for found in gaps) / len(gaps)


@pytest.mark.slow
def test_xpo_finds_the_good_arm_where_online_dpo_does_not():
    """Acceptance check 5 at beta 0.015, with 100 rounds and 20 seeds.

    Online DPO sees the good arm in 100 rounds with probability 1 - (1 - 2.4e-4)^200 = 4.7%, so that more than 20% of
    20 seeds do has probability 0.1%; the bonus needs no luck.
    """
    assert success(0.015, alpha=0.0015, seeds=range(20), rounds_=100) >= 0.95
    assert success(0.015, alpha=0.0, seeds=range(20), rounds_=100) <= 0.20


def test_the_bonus_moves_an_exact_run_off_its_reference_at_once():
    """The same on three seeds and ten rounds: the good arm is found in every one, and in none without the bonus.

    Without it the arm has mass 2.4e-4, so ten pairs see it with probability 0.5% in each run.
    """
    assert success(0.015, alpha=0.0015, seeds=range(3), rounds_=10) == 1.0
    assert success(0.015, alpha=0.0, seeds=range(3), rounds_=10) == 0.0


def test_the_wrong_sign_stays_at_the_reference():
    """Negative control: with the bonus subtracted no run leaves the reference."""
    assert success(0.015, alpha=-0.0015, seeds=range(3), rounds_=10) == 0.0


@dataclass
class LogitLearner:
    """One gradient step on the logits, so that runs differ in every digit if anything differs."""

    beta: float = 0.3
    alpha: float = 0.05
    hypotheses: bool = False
    seen: list = field(default_factory=list)

    def fit(self, policy, reference, evidence, *, name, seed):
        data = tuple(evidence.comparisons)
        self.seen.append(tuple(c.sequence for c in data))
        logits = policy.logits.clone().requires_grad_()
        if data:
            arms = torch.tensor([[r.tokens[0] for r in compared(c, ())] for c in data])
            log_pi = torch.log_softmax(logits, 0)
            table = tabulate(data, log_pi[arms], reference.log_pi[arms])
            from boldly.objectives import dpo

            reduce(dpo(table, beta=self.beta), table.weight).total.backward()
            logits = logits - logits.grad
        return TabularPolicy(logits.detach(), name), ()

    def state(self):
        return {}

    def restore(self, state):
        pass


def small_loop(
    ledger=None, archive=None, learner=None, seed=0, budget=24, sampler=None, selector=first_pair, **changes
):
    base = TabularPolicy(torch.tensor([1.0, 0.0, -1.0, -2.0], dtype=torch.float64))
    archive = archive or MemoryArchive(base)
    policy = archive[len(archive) - 1]
    return Loop(
        policy=policy,
        prompts=[Prompt(f"question {i}") for i in range(7)],
        parts=Parts(sampler or policy_twice(), selector, fixed, learner or LogitLearner(), **changes),
        ledger=ledger or MemoryLedger(),
        archive=archive,
        budget=Budget(budget),
        schedule=Schedule(labels_per_round=4, prompts_per_label=2),
        seed=seed,
    )


def small_oracle(seed=0):
    return BradleyTerry(lambda prompt, response: float(response.tokens[0]), seed=seed)


def verdicts_of(oracle, queries):
    return [(said.query, said.verdict) for said in oracle(queries)]


def bought(loop):
    return [(label.query.id, label.verdict) for label in loop.ledger.labels()]


def test_the_budget_is_spent_to_the_last_label_and_no_further():
    loop = small_loop(budget=22)
    done = list(rounds(loop, small_oracle()))
    assert [len(round.labels) for round in done] == [4, 4, 4, 4, 4, 2]
    assert loop.ledger.spent().labels == 22
    assert list(rounds(loop, small_oracle())) == []


def test_every_round_fits_on_the_labels_of_every_round():
    learner = LogitLearner()
    list(rounds(small_loop(learner=learner, budget=12), small_oracle()))
    assert learner.seen == [tuple(range(4)), tuple(range(8)), tuple(range(12))]


def test_no_pair_of_equal_answers_is_ever_bought():
    loop = small_loop(budget=40)
    list(rounds(loop, small_oracle()))
    assert all(label.query.a.text != label.query.b.text for label in loop.ledger.labels())


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    runs = []
    for seed in (3, 3, 4):
        loop = small_loop(seed=seed)
        list(rounds(loop, small_oracle()))
        runs.append((bought(loop), loop.policy.logits))
    assert runs[0][0] == runs[1][0]
    assert torch.equal(runs[0][1], runs[1][1])
    assert runs[0][0] != runs[2][0]


class Stop(Exception):
    pass


class StoppingLedger:
    """A ledger that stops the program before its call number `at` of `ask` or `tell`."""

    def __init__(self, ledger, at):
        self.ledger, self.left = ledger, at

    def __getattr__(self, name):
        value = getattr(self.ledger, name)
        if name not in {"ask", "tell", "reserve", "record_steps", "record_iterate"}:
            return value

        def call(*args, **kwargs):
            if self.left == 0:
                raise Stop
            self.left -= 1
            return value(*args, **kwargs)

        return call


def hypotheses_parts():
    from boldly.hypotheses import Hypotheses

    settings = Hypotheses(members=3, units=4, steps=10, batch=8)
    return {"sampler": mixture(policy=2, reference=2), "selector": thompson, "hypotheses": settings}


@pytest.mark.parametrize("parts", [dict, hypotheses_parts], ids=["plain", "with hypotheses"])
def test_stopped_anywhere_and_resumed_equals_uninterrupted(parts):
    whole = small_loop(**parts())
    list(rounds(whole, small_oracle()))
    stops = 0
    for at in range(0, 70, 3):
        ledger, archive = MemoryLedger(), MemoryArchive(whole.archive[0])
        try:
            list(rounds(small_loop(StoppingLedger(ledger, at), archive, **parts()), small_oracle()))
        except Stop:
            stops += 1
        ledger.abandon()
        resumed = small_loop(ledger, archive, **parts())
        list(rounds(resumed, small_oracle()))
        assert bought(resumed) == bought(whole)
        assert torch.equal(resumed.policy.logits, whole.policy.logits)
    assert stops > 15


def test_ask_tell_and_fit_are_the_same_as_run():
    whole = small_loop(budget=12)
    list(rounds(whole, small_oracle()))
    loop, oracle = small_loop(budget=12), small_oracle()
    while loop.left:
        loop.tell(verdicts_of(oracle, loop.ask()), source=oracle.name)
        loop.fit()
    assert bought(loop) == bought(whole)


def test_asking_again_returns_what_still_waits():
    loop, oracle = small_loop(), small_oracle()
    queries = loop.ask()
    assert loop.ask() == queries
    loop.tell(verdicts_of(oracle, queries[:1]), source="me")
    assert loop.ask() == queries[1:]


def test_fitting_before_any_verdict_says_what_is_missing():
    loop = small_loop()
    loop.ask()
    with pytest.raises(WaitingForLabels, match="round 0"):
        loop.fit()


def test_a_round_that_was_not_asked_is_not_fitted():
    loop = small_loop()
    with pytest.raises(WaitingForLabels, match="`ask`"):
        loop.fit()
    assert len(loop.archive) == 1


def test_telling_twice_changes_nothing_and_costs_nothing():
    loop, oracle = small_loop(budget=4), small_oracle()
    verdicts = verdicts_of(oracle, loop.ask())
    loop.tell(verdicts, source="me")
    told = loop.ledger.labels()
    loop.tell([(query, Tie()) for query, _ in verdicts] + verdicts, source="somebody else")
    assert loop.ledger.labels() == told
    assert (loop.ledger.spent().labels, loop.ledger.spent().surplus) == (4, 0)
    loop.fit()


@pytest.mark.parametrize("said", [0.7, "a", None, True])
def test_what_is_no_verdict_is_refused_before_it_is_reserved(said):
    loop = small_loop()
    (query, *_) = loop.ask()
    with pytest.raises(InvalidInput, match=r"Preference\(p\)"):
        loop.tell(iter([(query, said)]), source="me")  # which the types of arguments in tests can't look into
    assert (loop.ledger.spent().labels, loop.ledger.spent().open) == (0, 0)


def test_a_query_that_was_never_asked_is_refused():
    loop, other = small_loop(), small_loop(seed=1)
    loop.ask()
    with pytest.raises(InvalidInput, match="ask"):
        loop.tell([(other.ask()[0], Tie())], source="me")


def test_of_too_many_picks_the_first_are_bought():
    def greedy(view, count):
        return [Pick(i, *pair) for i, c in enumerate(view.candidates) for pair in payable(c)]

    loop = small_loop(selector=greedy, sampler=mixture(policy=3, reference=3))
    assert len(loop.ask()) == 4


@pytest.mark.parametrize("picks", [[Pick(0, 0, 0)], [Pick(99, 0, 1)], [Pick(-1, 0, 1)], [Pick(0, 0, 9)], "twice"])
def test_what_may_not_be_paid_for_is_refused_whatever_the_selector_says(picks):
    def wrong(view, count):
        if picks != "twice":
            return picks
        i, pair = next((i, pair) for i, c in enumerate(view.candidates) for pair in payable(c))
        return [Pick(i, *pair), Pick(i, *reversed(pair))]

    loop = small_loop(selector=wrong)
    with pytest.raises(InvalidInput, match="payable"):
        loop.ask()
    assert loop.ledger.queries(0) == ()


def test_a_loop_needs_prompts_and_a_budget_that_is_not_negative():
    with pytest.raises(InvalidInput, match="prompts"):
        replace(small_loop(), prompts=[])
    with pytest.raises(InvalidInput, match="below 0"):
        Budget(-3)


def test_ties_are_half_and_failures_are_no_comparison():
    learner = LogitLearner()
    loop = small_loop(learner=learner)
    verdicts = [Preference(1.0), Tie(), Failure("no answer"), Preference(0.0)]
    loop.tell(zip(loop.ask(), verdicts, strict=True), source="me")
    loop.fit()
    assert [label.verdict for label in loop.ledger.labels()] == [Preference(1.0), Tie(), Preference(0.0)]
    assert learner.seen == [(0, 1, 2)]


def test_a_policy_that_always_says_the_same_ends_the_run_without_a_purchase():
    base = TabularPolicy(torch.tensor([0.0, -torch.inf], dtype=torch.float64))
    loop = small_loop(archive=MemoryArchive(base))
    assert list(rounds(loop, small_oracle())) == []
    assert loop.ledger.spent().labels == 0


def test_a_lone_payable_pair_is_found_in_further_draws():
    """Mass 0.02 on the second answer: a round's eight prompts rarely hold four pairs, further draws hold more."""
    base = TabularPolicy(torch.tensor([0.0, -4.0], dtype=torch.float64))
    loop = small_loop(archive=MemoryArchive(base), sampler=mixture(policy=2, reference=8))
    queries = loop.ask()
    assert queries
    assert len({query.place for query in queries}) == len(queries)


def test_the_explored_response_is_the_references_whoever_won():
    loop, oracle = small_loop(sampler=policy_and_reference()), small_oracle()
    list(rounds(loop, oracle))
    assert {label.query.explore for label in loop.ledger.labels()} == {label.query.b for label in loop.ledger.labels()}
    assert {label.query.b.origin for label in loop.ledger.labels()} == {"iterate-0"}


def test_the_rounds_that_were_begun_are_recorded():
    loop = small_loop(budget=8)
    list(rounds(loop, small_oracle()))
    assert [(kept.number, kept.policy) for kept in loop.ledger.rounds()] == [(0, "iterate-0"), (1, "iterate-1")]


class Priced:
    """A small oracle that takes 0.25 for each label."""

    name, reward = "priced", None

    def __init__(self):
        self.within = small_oracle()

    def bound(self, query):
        return 0.25

    def __call__(self, queries):
        return self.within(queries)


def test_where_the_money_ends_what_it_bought_is_learned_from_and_no_more_is_asked():
    loop = small_loop(budget=12)
    loop.budget = Budget(12, money=1.6)
    done = list(rounds(loop, Priced()))
    assert [len(each.labels) for each in done] == [4, 2]
    assert loop.ledger.spent().money == 1.5
    assert loop.short is not None
    assert loop.left == 0


def test_a_budget_below_what_is_spent_fits_what_was_bought_and_buys_nothing():
    loop = small_loop(budget=12)
    queries = loop.ask()
    loop.tell(verdicts_of(small_oracle(), queries[:2]), source="me")
    loop.budget = Budget(1)
    done = list(rounds(loop, small_oracle()))
    assert [len(each.labels) for each in done] == [2]
    assert loop.ledger.spent().labels == 2


def test_more_budget_goes_on_where_the_money_ended():
    whole, loop = small_loop(budget=12), small_loop(budget=12)
    list(rounds(whole, Priced()))
    loop.budget = Budget(12, money=1.6)
    list(rounds(loop, Priced()))
    loop.budget, loop.short = Budget(12, money=3.0), None
    list(rounds(loop, Priced()))
    assert {label.query.id for label in loop.ledger.labels()} >= {label.query.id for label in whole.ledger.labels()[:6]}
    assert loop.ledger.spent().labels == 12


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


def recorded_loop(budget=24, **changes):
    """A loop whose queries come from a record of 21 pairs, and the record."""
    loop = small_loop(budget=budget, **changes)
    said = [Response(f"arm {arm}", (arm,), "recorded:data", math.nan, math.nan) for arm in range(4)]
    records = [
        Record(prompt, said[i].text, said[j].text, Preference(float(i > j)), responses=(said[i], said[j]))
        for prompt in loop.prompts
        for i, j in ((0, 1), (3, 2), (1, 2))
    ]
    loop.pool = pool_of(records).candidates
    return loop, records


def test_a_record_is_chosen_from_until_it_is_used_up_and_nothing_else_is_asked():
    loop, records = recorded_loop()
    done = list(rounds(loop, Recorded(records)))
    assert sum(len(each.labels) for each in done) == len(records)
    asked = [pair_of(label.query.prompt, label.query.a.text, label.query.b.text) for label in loop.ledger.labels()]
    assert {frozenset(pair) for pair in asked} == {frozenset(record.pair) for record in records}
    assert len(set(asked)) == len(records)
    assert (loop.ledger.spent().recorded, loop.ledger.spent().bought) == (len(records), 0)
    assert loop.left


def test_labels_of_a_record_are_those_of_the_record():
    loop, records = recorded_loop()
    list(rounds(loop, Recorded(records)))
    for label in loop.ledger.labels():
        better = label.query.a if label.verdict == Preference(1.0) else label.query.b
        worse = label.query.b if better is label.query.a else label.query.a
        assert better.tokens > worse.tokens


def test_what_a_bonus_is_taken_on_is_drawn_by_this_run_s_reference():
    loop, records = recorded_loop(budget=8)
    list(rounds(loop, Recorded(records)))
    explored = [label.query.explore for label in loop.ledger.labels()]
    assert {response and response.origin for response in explored} == {"iterate-0"}


def test_a_selector_chooses_among_recorded_pairs():
    def last(view, count):
        picks = [Pick(i, *payable(c)[-1]) for i, c in enumerate(view.candidates)]
        return picks[-count:]

    loop, records = recorded_loop(budget=4, selector=last)
    list(rounds(loop, Recorded(records)))
    assert {(label.query.a.text, label.query.b.text) for label in loop.ledger.labels()} == {("arm 1", "arm 2")}


def test_hypotheses_choose_from_a_record_too():
    loop, records = recorded_loop(budget=16, **hypotheses_parts())
    done = list(rounds(loop, Recorded(records)))
    assert [len(each.labels) for each in done] == [4, 4, 4, 4]

"""Rounds that are asked ahead: nobody who labels waits for the learner, and it changes nothing else."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from boldly.drawing import Schedule
from boldly.errors import InvalidInput, WaitingForLabels
from boldly.hypotheses import Hypotheses
from boldly.ledger import Budget, MemoryLedger
from boldly.ledger.sql import SqlLedger
from boldly.loop import Loop, Parts, rounds
from boldly.oracles import BradleyTerry, answer
from boldly.oracles.people import People
from boldly.randomness import derive
from boldly.references import fixed, moving_average, previous
from boldly.samplers import mixture, policy_and_reference, policy_twice
from boldly.selectors import Pick, first_pair, payable
from boldly.types import Prompt, Query
from tests.loop.small import LogitLearner
from tests.loop.stopping import Stop, StoppingLedger
from tests.support.tabular import MemoryArchive, TabularPolicy

BASE = TabularPolicy(torch.tensor([1.0, 0.0, -1.0, -2.0], dtype=torch.float64))
PROMPTS = [Prompt(f"question {i}") for i in range(7)]
ORACLE = BradleyTerry(lambda prompt, response: float(response.tokens[0]))
PEOPLE = People()


class PoolLearner(LogitLearner):
    """A step on the logits that shows every number of pool and hypotheses, so that runs differ if these do."""

    def fit(self, policy, reference, evidence, *, name, seed):
        learned, steps = super().fit(policy, reference, evidence, name=name, seed=seed)
        if evidence.pool is not None:
            reward = evidence.hypotheses.rewards(evidence.pool.features).mean(0)
            shift = torch.zeros(4, dtype=torch.float64)
            arms = torch.tensor([response.tokens[0] for response in evidence.pool.responses])
            shift.index_add_(0, arms, reward.double() / len(arms))
            learned = TabularPolicy(learned.logits + 0.3 * shift, name)
        return learned, steps


def touchy(view, count):
    """Pairs drawn by everything that a selector is shown, so that the least difference gives others."""
    shown = (view.labels, *(row.tolist() for row in view.rewards), view.bought.tolist())
    generator = torch.Generator().manual_seed(derive(view.seed, repr(shown)))
    pairs = [Pick(i, *pair) for i, candidates in enumerate(view.candidates) for pair in payable(candidates)]
    return [pairs[i] for i in torch.randperm(len(pairs), generator=generator).tolist()[:count]]


def plain(**changes):
    return {"sampler": policy_twice(), "selector": first_pair, "reference": fixed, **changes}


def believing(**changes):
    settings = Hypotheses(members=2, units=3, steps=4, batch=8)
    return plain(sampler=mixture(policy=2, reference=2), selector=touchy, hypotheses=settings, **changes)


PARTS = [plain, believing]


def looping(
    parts=plain,
    *,
    ledger=None,
    archive=None,
    budget=20,
    money=None,
    ahead=1,
    window=2,
    bound=None,
    learner=None,
    **changes,
):
    archive = archive or MemoryArchive(BASE)
    return Loop(
        policy=archive[len(archive) - 1],
        prompts=PROMPTS,
        parts=Parts(learner=learner or PoolLearner(), **parts(**changes)),
        ledger=ledger or MemoryLedger(),
        archive=archive,
        budget=Budget(budget, money),
        schedule=Schedule(labels_per_round=4, prompts_per_label=2, window=window, ahead=ahead),
        bound=bound,
    )


def asked(loop):
    return [[query.id for query in loop.ledger.queries(t)] for t in range(20) if loop.ledger.queries(t)]


def taught(loop):
    """The queries that every fit learned from, by fit."""
    ids = {label.sequence: label.query.id for label in loop.ledger.labels()}
    return [{ids[sequence] for sequence in seen} for seen in loop.parts.learner.seen]


def same(first, second):
    assert asked(first) == asked(second)
    assert len(first.archive) == len(second.archive)
    for t in range(len(first.archive)):
        assert torch.equal(first.archive[t].logits, second.archive[t].logits)
    return True


@pytest.mark.parametrize("reference", [fixed, previous, moving_average])
def test_a_round_ahead_is_the_one_that_the_iterate_before_draws_by_hand(reference):
    """Algorithm 1 written out for rounds that are drawn one iterate earlier, without a loop."""
    loop = looping(reference=reference, sampler=policy_and_reference(), budget=16)
    list(rounds(loop, ORACLE))
    ledger, policies, learner, by_hand = MemoryLedger(), [BASE], LogitLearner(), []
    order = [
        PROMPTS[i]
        for epoch in range(6)
        for i in torch.randperm(7, generator=torch.Generator().manual_seed(derive(0, "prompts", epoch))).tolist()
    ]

    def draw(number):
        """First pairs of the round's prompts, from the policy and reference that are `number - 1` rounds old."""
        by = max(0, number - 1)
        drawn, queries = reference(by, policies), []
        for extra in range(4):
            generator = torch.Generator().manual_seed(derive(0, "round", number, "prompts", extra))
            further = [PROMPTS[i] for i in torch.randint(7, (8,), generator=generator).tolist()]
            seed = derive(0, "round", number, "sample", extra)
            prompts = further if extra else order[8 * number : 8 * number + 8]
            own = policies[by].sample(prompts, 1, seed=derive(seed, "policy"))
            other = drawn.sample(prompts, 1, seed=derive(seed, "reference"))
            for prompt, (a,), (b,) in zip(prompts, own, other, strict=True):
                if a.text != b.text and len(queries) < 4:
                    queries.append(Query(prompt, a, b, number, len(queries), b))
        by_hand.append([query.id for query in queries])
        ledger.ask(queries)
        return queries

    draw(0)
    for t in range(4):
        if t < 3:
            draw(t + 1)  # before a label of round t is there
        list(answer(ledger, ORACLE, ledger.waiting(t), budget=Budget(16)))
        evidence = _Evidence(ledger.labels())
        policies.append(learner.fit(policies[t], reference(t, policies), evidence, name=f"iterate-{t + 1}", seed=0)[0])
    assert asked(loop) == by_hand
    for t, policy in enumerate(policies):
        assert torch.equal(loop.archive[t].logits, policy.logits)
    named = [(kept.policy, kept.reference) for kept in loop.ledger.rounds()]
    assert named == [(policies[by].name, reference(by, policies).name) for by in (0, 0, 1, 2)]


class _Evidence:
    """The labels of a ledger and nothing else."""

    pool = None

    def __init__(self, labels):
        from boldly.types import comparisons

        self.comparisons = comparisons(labels)


@pytest.mark.parametrize("parts", PARTS)
def test_while_a_round_is_labelled_the_next_one_waits_already(parts):
    loop = looping(parts)
    for t in range(4):
        with pytest.raises(WaitingForLabels):
            loop.buy(loop.ask(), PEOPLE)
        assert [len(loop.ledger.waiting(s)) for s in range(t, t + 3)] == [4, 4, 0]
        list(answer(loop.ledger, ORACLE, loop.ledger.waiting(t), budget=loop.budget))
        done = loop.fit()
        assert [label.query.round for label in done.labels] == [t] * 4
    assert [(kept.number, kept.labels) for kept in loop.ledger.iterates()] == [(t, 4 * t) for t in range(1, 5)]


def test_without_a_round_ahead_nothing_waits_while_a_round_is_learned():
    loop = looping(ahead=0)
    loop.ask()
    assert [len(loop.ledger.waiting(t)) for t in range(3)] == [4, 0, 0]


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize(("ahead", "budget"), [(1, 22), (3, 22), (2, 5)])
def test_the_budget_is_spent_to_the_last_label_and_no_more_is_asked(parts, ahead, budget):
    loop = looping(parts, ahead=ahead, budget=budget)
    done = list(rounds(loop, ORACLE))
    assert sum(map(len, asked(loop))) == loop.ledger.spent().labels == budget
    assert [len(each.labels) for each in done] == [4] * (budget // 4) + [budget % 4]
    assert not loop.left
    assert not loop.asked


@pytest.mark.parametrize(
    ("parts", "every"),
    [(plain, 7), (believing, 11), *(pytest.param(parts, 1, marks=pytest.mark.slow) for parts in PARTS)],
)
def test_stopped_anywhere_and_resumed_asks_and_learns_the_same(parts, every):
    whole = looping(parts, budget=14)
    list(rounds(whole, ORACLE))
    stops = 0
    for at in range(0, 1000, every):
        ledger, archive = MemoryLedger(), MemoryArchive(BASE)
        stopped = looping(parts, budget=14, ledger=StoppingLedger(ledger, at), archive=archive)
        try:
            list(rounds(stopped, ORACLE))
            break
        except Stop:
            ledger.abandon()
            stops += 1
        resumed = looping(parts, budget=14, ledger=ledger, archive=archive)
        list(rounds(resumed, ORACLE))
        assert same(resumed, whole)
        kept = len(resumed.parts.learner.seen)
        assert taught(resumed) == taught(whole)[len(whole.archive) - 1 - kept :]
    assert stops * every > 35


@pytest.mark.parametrize("parts", PARTS)
def test_stopped_between_a_round_and_the_one_ahead_it_asks_the_same(parts):
    whole, ledger, archive = looping(parts, budget=8), MemoryLedger(), MemoryArchive(BASE)
    list(rounds(whole, ORACLE))
    looping(parts, budget=8, ahead=0, ledger=ledger, archive=archive).ask()
    resumed = looping(parts, budget=8, ledger=ledger, archive=archive)
    list(rounds(resumed, ORACLE))
    assert same(resumed, whole)


def by_people(parts, order, **changes):
    """A run whose verdicts come one by one in an order of somebody's own, two rounds at a time."""
    loop = looping(parts, **changes)
    turns = rounds(loop, PEOPLE)
    while True:
        try:
            next(turns)
        except StopIteration:
            return loop
        except WaitingForLabels:
            turns = rounds(loop, PEOPLE)
            waiting = [query for t in (loop.t, loop.t + 1) for query in loop.ledger.waiting(t)]
            list(answer(loop.ledger, ORACLE, [order(waiting)], budget=loop.budget))


@pytest.mark.parametrize("parts", PARTS)
def test_in_whatever_order_people_answer_the_run_ends_the_same(parts):
    in_order = by_people(parts, lambda waiting: waiting[0])
    for order in (lambda waiting: waiting[-1], lambda waiting: min(waiting, key=lambda query: query.id)):
        other = by_people(parts, order)
        assert [label.query.round for label in other.ledger.labels()] != [t for t in range(5) for _ in range(4)]
        assert same(other, in_order)
        assert taught(other) == taught(in_order)
        assert [kept.labels for kept in other.ledger.iterates()] == [4, 8, 12, 16, 20]
    called = looping(parts)
    list(rounds(called, ORACLE))
    assert same(called, in_order)


def test_a_round_ahead_asks_no_more_than_the_money_reaches_for():
    loop = looping(money=1.5, bound=lambda query: 0.25)
    loop.ask()
    assert [len(loop.ledger.queries(t)) for t in range(3)] == [4, 2, 0]


@pytest.mark.parametrize("told", [0, 3])
def test_what_a_round_ahead_asks_does_not_depend_on_when_it_is_drawn(told):
    """Verdicts that came before move queries from those that wait to those that are bought."""
    ledger, archive = MemoryLedger(), MemoryArchive(BASE)
    looping(ledger=ledger, archive=archive, ahead=0).ask()
    list(answer(ledger, ORACLE, ledger.waiting(0)[:told], budget=Budget(20)))
    loop = looping(ledger=ledger, archive=archive, budget=7)
    loop.ask()
    assert [len(loop.ledger.queries(t)) for t in range(3)] == [4, 3, 0]


def test_labels_of_both_rounds_are_learned_from_where_the_money_ends_between_them():
    people = People(price=0.25)
    loop = looping(money=1.5)
    with pytest.raises(WaitingForLabels):
        loop.buy(loop.ask(), people)
    for query in (*loop.ledger.waiting(0)[:3], *loop.ledger.waiting(1)[:3]):
        attempt = loop.ledger.reserve(query.id, bound=0.25, budget=loop.budget)
        loop.ledger.tell(attempt.id, next(iter(ORACLE([query]))).verdict, source="people", price=0.25)
    done = list(rounds(loop, people))
    assert [len(each.labels) for each in done] == [3, 3]
    assert loop.short is not None


def test_a_round_can_not_be_drawn_after_it_was_asked():
    with pytest.raises(InvalidInput, match="ahead=0"):
        Schedule(ahead=-1)


@dataclass(frozen=True)
class Answered(TabularPolicy):
    """A policy that is scored while somebody else, who opened the ledger beside the run, answers the round ahead."""

    location: Path | None = None

    def log_probs(self, prompts, responses):
        with closing(SqlLedger(self.location, exclusive=False)) as beside:
            list(answer(beside, ORACLE, beside.waiting(1)[:2], budget=Budget(20)))
        return super().log_probs(prompts, responses)


@dataclass
class Scoring(PoolLearner):
    """Scores every response anew in the midst of learning, as a learner does under a reference that moves."""

    location: Path | None = None

    def fit(self, policy, reference, evidence, *, name, seed):
        watched = Answered(policy.logits, "watched", self.location)
        rows = [(c.query.prompt, response) for c in evidence.comparisons for response in (c.query.a, c.query.b)]
        evidence.log_probs(watched, [prompt for prompt, _ in rows], [response for _, response in rows])
        return super().fit(policy, reference, evidence, name=name, seed=seed)


def test_while_a_round_is_learned_others_write_to_its_ledger(tmp_path):
    with closing(SqlLedger(tmp_path / "ledger.sqlite")) as ledger:
        loop = looping(ledger=ledger, learner=Scoring(location=tmp_path / "ledger.sqlite"))
        list(answer(ledger, ORACLE, loop.ask(), budget=loop.budget))
        done = loop.fit()
        assert len(ledger.waiting(1)) == 2
        assert [label.query.round for label in ledger.labels()] == [0] * 4 + [1] * 2
        assert len(done.labels) == len(loop.parts.learner.seen[0]) == 4

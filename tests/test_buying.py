"""Labels bought beside sampling and learning: it happens at the same time, and what a run ends with is the same."""

import sys
import threading
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace

import pytest

from boldly.buying import PATIENCE, Buyer, answers_elsewhere
from boldly.errors import InvalidInput, OracleUnavailable
from boldly.ledger import MemoryLedger
from boldly.ledger.sql import SqlLedger
from boldly.loop import rounds
from boldly.oracles import Answer, Command
from boldly.oracles.itself import Itself
from boldly.oracles.judge import judge
from boldly.oracles.people import People
from boldly.oracles.stopping import TICK, look
from boldly.types import Failure, Query
from tests.loop.stopping import Stop, StoppingLedger
from tests.support.tabular import MemoryArchive
from tests.test_ahead import BASE, ORACLE, PARTS, PoolLearner, asked, believing, looping, plain, same, taught

SECONDS = 20.0
"""How long a test waits for what has to happen at the same time: it fails where that does not."""


@dataclass
class Away:
    """An oracle that somebody else answers; `before` is called before each answer, `price` gives its price."""

    before: Callable[[Query], None] | None = None
    price: Callable[[Query], float] = lambda query: 0.0
    fails: Callable[[Query], bool] = lambda query: False
    name: str = ORACLE.name
    reward: None = None
    threads: set = field(default_factory=set)

    def sends(self):
        return "to somebody else"

    def bound(self, query):
        return self.price(query)

    def __call__(self, queries):
        self.threads.add(threading.current_thread())
        for query in queries:
            if self.before is not None:
                self.before(query)
            if self.fails(query):
                yield Answer(query, Failure("no answer"))
            else:
                yield replace(next(ORACLE([query])), price=self.price(query))


def beside(*args, **changes):
    """A loop as `tests.test_ahead.looping` makes it, with a buyer."""
    loop = looping(*args, **changes)
    loop.buyer = Buyer(loop.ledger, loop.budget)
    return loop


def run(loop, oracle=None):
    with closing(loop.buyer) if loop.buyer else nullcontext():
        return list(rounds(loop, oracle or Away()))


def left_by(loop):
    """Everything that a run leaves, but for times."""
    ledger = loop.ledger
    labels = [(one.sequence, one.query.id, one.verdict, one.source, one.price) for one in ledger.labels()]
    begun = [(one.number, one.policy, one.reference) for one in ledger.rounds()]
    return labels, begun, ledger.steps(), ledger.iterates(), ledger.spent(), loop.left, str(loop.short)


def buyers():
    return [thread for thread in threading.enumerate() if thread.name == "buyer"]


def test_who_is_asked_beside_everything_else():
    service = judge(model="m", base_url="http://127.0.0.1:1/v1")
    assert all(map(answers_elsewhere, (Away(), Command([sys.executable]), service)))
    assert not any(map(answers_elsewhere, (ORACLE, People(), Itself())))


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize(("ahead", "budget"), [(1, 22), (3, 22), (2, 5), (0, 12)])
@pytest.mark.parametrize("stored", ["memory", "sql"])
def test_it_ends_with_the_same_bits_as_one_thing_after_the_other(parts, ahead, budget, stored, tmp_path):
    def ledger(name):
        return closing(MemoryLedger() if stored == "memory" else SqlLedger(tmp_path / f"{name}.sqlite"))

    with ledger("first") as first, ledger("second") as second:
        alone = looping(parts, ahead=ahead, budget=budget, ledger=first)
        both = beside(parts, ahead=ahead, budget=budget, ledger=second)
        here, away = Away(), Away()
        expected, done = run(alone, here), run(both, away)
        assert left_by(both) == left_by(alone)
        assert same(both, alone)
        assert taught(both) == taught(alone)
        for one, other in zip(done, expected, strict=True):
            assert one.candidates == other.candidates
            assert [label.query for label in one.labels] == [label.query for label in other.labels]
        assert here.threads == {threading.main_thread()}
        assert len(away.threads) == 1
        assert threading.main_thread() not in away.threads
    assert not buyers()


def test_a_round_is_drawn_and_another_learned_from_while_an_oracle_answers():
    """The oracle answers round t only when round t - 1 was learned from and round t + 1 is stored, and learning from
    round t begins only when the oracle was asked about round t + 1, so one after the other this can't end.
    """
    begun, fitted, stored = ([threading.Event() for _ in range(5)] for _ in range(3))
    in_time, waiting = [], []

    def before(query):
        begun[query.round].set()
        if query.round:
            in_time.append(fitted[query.round - 1].wait(SECONDS))
        if 1 <= query.round < 4:
            in_time.append(stored[query.round + 1].wait(SECONDS))

    class Watching(PoolLearner):
        def fit(self, policy, reference, evidence, *, name, seed):
            if evidence.round < 4:
                in_time.append(begun[evidence.round + 1].wait(SECONDS))
                waiting.append(len(loop.ledger.waiting(evidence.round + 1)))
            done = super().fit(policy, reference, evidence, name=name, seed=seed)
            fitted[evidence.round].set()
            return done

    class Telling(MemoryLedger):
        def ask(self, queries):
            super().ask(queries)
            stored[queries[0].round].set()

    loop = beside(ledger=Telling(), learner=Watching())
    run(loop, Away(before))
    assert in_time == [True] * (4 * 4 + 3 * 4 + 4)
    assert waiting == [4] * 4, "not one label of a round was there when learning from the one before began"
    alone = looping()
    run(alone)
    assert same(loop, alone)
    assert left_by(loop) == left_by(alone)


def test_no_round_is_drawn_by_a_policy_older_than_the_setting():
    for ahead in (0, 1, 2, 4):
        loop = beside(ahead=ahead, budget=32)
        run(loop)
        drawn = [one.number - int(one.policy.removeprefix("iterate-")) for one in loop.ledger.rounds()]
        assert drawn == [min(t, ahead) for t in range(8)]
        for label in loop.ledger.labels():
            assert {label.query.a.origin, label.query.b.origin} == {loop.ledger.rounds()[label.query.round].policy}


@pytest.mark.parametrize("ahead", [1, 2])
@pytest.mark.parametrize("at", [0, 2])
def test_what_an_oracle_raises_comes_out_where_its_labels_are_needed_and_is_gone_on_from(ahead, at):
    def gone(query):
        if (query.round, query.place) == (at, 2):
            raise OracleUnavailable("the line is dead")

    runs = []
    for make in (looping, beside):
        ledger, archive = MemoryLedger(), MemoryArchive(BASE)
        loop = make(ahead=ahead, ledger=ledger, archive=archive)
        with pytest.raises(OracleUnavailable, match="the line is dead"):
            run(loop, Away(gone))
        assert not buyers()
        assert len(archive) == at + 1
        runs.append((left_by(loop), asked(loop)))
        ledger.abandon()
        resumed = make(ahead=ahead, ledger=ledger, archive=archive)
        run(resumed)
        whole = looping(ahead=ahead)
        run(whole)
        assert same(resumed, whole)
    assert runs[0] == runs[1]


def test_queries_that_fail_are_asked_again_and_left_out_as_they_are_without_a_buyer():
    def fails(query):
        return query.place == 1 or (query.round == 3)

    runs = []
    for make in (looping, beside):
        loop = make(ahead=1, budget=20)
        with pytest.raises(OracleUnavailable, match="no answer"):
            run(loop, Away(fails=fails))
        assert loop.t == 3
        runs.append((left_by(loop), asked(loop)))
    assert runs[0] == runs[1]


@pytest.mark.parametrize("ahead", [1, 3])
@pytest.mark.parametrize("money", [0.1, 0.25, 0.9, 1.0, 1.6, 2.3, 2.75])
def test_money_that_ends_in_the_middle_ends_the_run_in_the_same_place(ahead, money):
    """Some rounds are cheap enough to be bought with what one before them had no use for."""

    def price(query):
        return (0.25, 0.3, 0.05)[query.round % 3]

    runs = []
    for make in (looping, beside):
        loop = make(ahead=ahead, money=money)
        run(loop, Away(price=price))
        assert loop.short is not None
        assert not buyers()
        runs.append((left_by(loop), asked(loop), taught(loop)))
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("parts", "every"),
    [(plain, 5), (believing, 11), *(pytest.param(parts, 1, marks=pytest.mark.slow) for parts in PARTS)],
)
def test_stopped_on_either_thread_and_resumed_it_ends_the_same(parts, every):
    whole = looping(parts, budget=14)
    run(whole)
    stops = 0
    for at in range(0, 1000, every):
        ledger, archive = MemoryLedger(), MemoryArchive(BASE)
        stopped = beside(parts, budget=14, ledger=StoppingLedger(ledger, at), archive=archive)
        try:
            run(stopped)
            break
        except Stop:
            assert not buyers()
            ledger.abandon()
            stops += 1
        resumed = beside(parts, budget=14, ledger=ledger, archive=archive)
        run(resumed)
        assert same(resumed, whole)
        assert resumed.ledger.spent().labels == 14
    assert stops * every > 35


def test_who_stops_while_the_oracle_is_silent_does_not_wait_for_it():
    """Ctrl-C in the midst of learning: the oracle, which answers nothing about round 1, is stopped at its next look."""
    silent = threading.Event()

    def before(query):
        while query.round:
            silent.set()
            threading.Event().wait(TICK)
            look()

    class Interrupted(PoolLearner):
        def fit(self, policy, reference, evidence, *, name, seed):
            assert silent.wait(SECONDS)
            raise KeyboardInterrupt

    ledger, archive = MemoryLedger(), MemoryArchive(BASE)
    loop = beside(ledger=ledger, archive=archive, learner=Interrupted())
    with pytest.raises(KeyboardInterrupt):
        run(loop, Away(before))
    assert not buyers()
    assert (ledger.spent().labels, ledger.spent().open) == (4, 4)
    assert ledger.abandon() == 4
    resumed, whole = beside(ledger=ledger, archive=archive), looping()
    run(resumed)
    run(whole)
    assert same(resumed, whole)


def test_an_oracle_that_never_looks_is_left_behind_and_stores_nothing_more(monkeypatch):
    monkeypatch.setattr("boldly.buying.PATIENCE", PATIENCE / 60)
    answers, ledger = threading.Event(), MemoryLedger()
    loop = beside(ledger=ledger)
    loop.buyer(Away(lambda query: answers.wait(SECONDS)), loop.ask(), [0])
    (thread,) = buyers()
    loop.buyer.close()
    ledger.close()
    assert thread.is_alive()
    answers.set()
    thread.join(SECONDS)
    assert not thread.is_alive()
    ledger._closed = False
    assert ledger.spent().labels == 0


def test_what_is_told_while_it_waits_is_told_by_the_thread_that_called():
    told = []
    loop = beside(budget=8)
    loop.announce = lambda phase: told.append((phase, threading.current_thread()))
    run(loop)
    assert {thread for _, thread in told} == {threading.main_thread()}
    assert [phase for phase, _ in told].count("labelling") == 8 + 2


@pytest.mark.parametrize("failed", [False, True])
def test_who_calls_a_buyer_that_was_closed_is_told_so(failed):
    def gone(query):
        if failed:
            raise OracleUnavailable("the line is dead")

    loop = beside()
    queries = loop.ask()
    with pytest.raises(OracleUnavailable) if failed else nullcontext():
        loop.buy(queries, Away(gone))
    loop.buyer.close()
    spent = loop.ledger.spent()
    with pytest.raises(InvalidInput, match=r"closed.*loop\.buyer = Buyer\("):
        loop.buyer(Away(), queries, [0])
    assert not buyers()
    assert loop.ledger.spent() == spent
    loop.buyer = Buyer(loop.ledger, loop.budget)
    loop.ledger.abandon()
    run(loop)
    assert same(loop, looping_to_the_end())


def looping_to_the_end():
    loop = looping()
    run(loop)
    return loop


def test_who_stops_listening_and_calls_again_buys_nothing_twice():
    """Its labels are those that were not heard, and each query was sent once."""
    released, sent = threading.Event(), []

    def before(query):
        sent.append(query.id)
        if len(sent) > 1:
            assert released.wait(SECONDS)

    loop = beside()
    queries = loop.ask()
    with closing(loop.buyer):
        listening = loop.buyer(Away(before), queries, [0])
        first = next(listening)
        listening.close()
        again = loop.buyer(Away(before), queries, [0])
        released.set()
        rest = list(again)
    assert len(queries) > 2
    assert sent == [query.id for query in queries]
    assert [first, *rest] == list(loop.ledger.labels())
    assert (loop.ledger.spent().labels, loop.ledger.spent().surplus) == (len(queries), 0)


@pytest.mark.parametrize("ahead", [0, 1])
def test_of_a_round_that_was_not_begun_only_the_given_queries_are_bought_and_all_of_those_ahead(ahead):
    def bought(number):
        return [label.query.place for label in loop.ledger.labels(round=number)]

    loop = beside(ahead=ahead)
    with closing(loop.buyer):
        queries = loop.ask()
        loop.buy(queries[:3], Away())
        assert bought(0) == [0, 1, 2]
        loop.buy(queries[3:], Away())
        assert bought(0) == [0, 1, 2, 3]
        loop.fit()
        loop.buy(loop.ask()[:1], Away())
        assert bought(1) == ([0, 1, 2, 3] if ahead else [0])
    assert not buyers()

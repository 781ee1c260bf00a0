"""The rounds of a run: what each one buys, fits on and keeps."""

import torch

from boldly.loop import rounds
from boldly.samplers import policy_and_reference
from tests.loop.small import LogitLearner, bought, small_loop, small_oracle
from tests.support.tabular import MemoryArchive, TabularPolicy


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


def test_a_policy_that_always_says_the_same_ends_the_run_without_a_purchase():
    base = TabularPolicy(torch.tensor([0.0, -torch.inf], dtype=torch.float64))
    loop = small_loop(archive=MemoryArchive(base))
    assert list(rounds(loop, small_oracle())) == []
    assert loop.ledger.spent().labels == 0


def test_the_explored_response_is_the_references_whoever_won():
    loop, oracle = small_loop(sampler=policy_and_reference()), small_oracle()
    list(rounds(loop, oracle))
    assert {label.query.explore for label in loop.ledger.labels()} == {label.query.b for label in loop.ledger.labels()}
    assert {label.query.b.origin for label in loop.ledger.labels()} == {"iterate-0"}


def test_the_rounds_that_were_begun_are_recorded():
    loop = small_loop(budget=8)
    list(rounds(loop, small_oracle()))
    assert [(kept.number, kept.policy) for kept in loop.ledger.rounds()] == [(0, "iterate-0"), (1, "iterate-1")]

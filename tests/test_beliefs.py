"""What a run believes: a function of ledger, archive and seed, of earlier rounds alone."""

from dataclasses import dataclass, field

import pytest
import torch

from boldly.beliefs import Beliefs
from boldly.hypotheses import Hypotheses
from boldly.ledger import Budget, MemoryLedger
from boldly.ledger.history import History
from boldly.randomness import derive
from boldly.types import BothBad, Candidates, Failure, Preference, Prompt, Query, Response, Tie, comparisons

WIDTH, ARMS = 5, 9
SETTINGS = Hypotheses(members=3, units=4, steps=12, batch=8)


@dataclass(frozen=True)
class Describing:
    """It does nothing but describe: feature j of an answer depends on its prompt and its arm."""

    described: list = field(default_factory=list)

    def features(self, prompts, responses):
        self.described.append([(p.text, r.tokens[0]) for p, r in zip(prompts, responses, strict=True)])
        return torch.stack([table()[int(p.text), r.tokens[0]] for p, r in zip(prompts, responses, strict=True)])

    @property
    def feature_weights(self):
        return torch.tensor([1.0, 1.0, 0.25, 2.0, 1.0])


def table():
    """Features of every prompt and arm, of unlike scales and means; the last is the same for all."""
    generator = torch.Generator().manual_seed(0)
    made = torch.randn(4, ARMS, WIDTH, generator=generator) * torch.tensor([1.0, 10.0, 0.1, 3.0, 0.0])
    return made + torch.tensor([0.0, 5.0, -1.0, 0.0, 2.0])


def answer(arm):
    return Response(f"arm {arm}", (arm,), "iterate-0", -1.0, -1.0)


def candidates(t):
    generator = torch.Generator().manual_seed(100 + t)
    arms = torch.randint(ARMS, (3, 4), generator=generator).tolist()
    return [Candidates(Prompt(str((t + i) % 4)), tuple(answer(arm) for arm in row)) for i, row in enumerate(arms)]


def queries(t):
    return [Query(c.prompt, c.responses[0], c.responses[1], t, i) for i, c in enumerate(candidates(t))]


VERDICTS = (Preference(1.0), Tie(), Preference(0.0))


def buy(ledger, t, verdicts=VERDICTS):
    ledger.ask(queries(t))
    for query, verdict in zip(queries(t), verdicts, strict=True):
        attempt = ledger.reserve(query.id, bound=0.0, budget=Budget(None))
        ledger.tell(attempt.id, verdict, source="me", price=0.0)


def beliefs(ledger, seed=0, window=3, base=None):
    return Beliefs(base or Describing(), SETTINGS, History(ledger), window, seed)


def same(one, other):
    mine, theirs = ([*vars_of(e.members), e.mean, e.scale] for e in (one, other))
    return all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


def vars_of(members):
    return [members.hidden, members.bias, members.output]


def uninterrupted(rounds, ledger, window=3, seed=0):
    """Beliefs as the loop holds them: see a round, look before buying, buy, look after."""
    held = beliefs(ledger, seed, window)
    for t in range(rounds):
        held.see(t, candidates(t))
        held.ensemble(before=t)
        held.bought(before=t)
        buy(ledger, t)
        held.ensemble(before=t + 1)
    return held


@pytest.mark.parametrize("rounds", [1, 2, 5])
@pytest.mark.parametrize("newest_first", [False, True])
def test_built_again_in_the_middle_they_are_the_same_bits(rounds, newest_first):
    """Whatever order the kept rounds are seen in once round 0 has been, as nothing but their numbers orders them."""
    ledger = MemoryLedger()
    held = uninterrupted(rounds, ledger)
    again = beliefs(ledger)
    window = sorted(set(range(max(0, rounds - 3), rounds)) - {0}, reverse=newest_first)
    for t in (0, *window):
        again.see(t, candidates(t))
    for one in (held, again):
        one.see(rounds, candidates(rounds))
    assert same(held.ensemble(before=rounds), again.ensemble(before=rounds))
    assert torch.equal(held.bought(before=rounds), again.bought(before=rounds))
    assert torch.equal(held.features(rounds), again.features(rounds))
    assert held.pool().prompts == again.pool().prompts
    assert held.pool().responses == again.pool().responses
    assert torch.equal(held.pool().features, again.pool().features)


def test_another_seed_or_another_label_gives_other_hypotheses():
    ledgers = [MemoryLedger() for _ in range(3)]
    for ledger, first in zip(ledgers, (1.0, 1.0, 0.0), strict=True):
        buy(ledger, 0, (Preference(first), Tie(), Preference(0.0)))
    made = []
    for ledger, seed in zip(ledgers, (0, 1, 0), strict=True):
        held = beliefs(ledger, seed)
        held.see(0, candidates(0))
        made.append(held.ensemble(before=1))
    assert not same(made[0], made[1])
    assert not same(made[0], made[2])


def test_they_are_the_fit_of_the_comparisons_on_standardised_features():
    """Against a direct call of the fit: labels in their order with the features of their responses."""
    ledger = MemoryLedger()
    buy(ledger, 0, (Preference(1.0), BothBad(), Preference(0.25)))
    buy(ledger, 1, (Failure("none"), Tie(), Preference(0.0)))
    held = beliefs(ledger)
    held.see(0, candidates(0))
    held.see(1, candidates(1))
    data = comparisons(ledger.labels())
    assert [c.label for c in data] == [1.0, 0.25, 0.5, 0.0]
    a, b = (
        torch.stack([table()[int(c.query.prompt.text), said(c.query).tokens[0]] for c in data])
        for said in (lambda q: q.a, lambda q: q.b)
    )
    given = held.ensemble(before=2)
    label = torch.tensor([c.label for c in data])
    direct = SETTINGS.fit(a, b, label, mean=given.mean, scale=given.scale, seed=derive(0, "hypotheses"))
    assert same(given, direct)


def test_the_window_drops_old_rounds_and_keeps_the_others_whole():
    held = beliefs(MemoryLedger(), window=3)
    for t in range(6):
        held.see(t, candidates(t))
        kept = range(max(0, t - 2), t + 1)
        expected = [(c.prompt, r) for u in kept for c in candidates(u) for r in c.responses]
        pool = held.pool()
        assert list(zip(pool.prompts, pool.responses, strict=True)) == expected
        assert torch.equal(pool.features, torch.cat([held.features(u) for u in kept]))
        assert torch.equal(held.features(t), held.describe(candidates(t)))


def test_a_round_is_described_once_however_often_it_is_seen():
    base = Describing()
    held = beliefs(MemoryLedger(), base=base)
    held.see(0, candidates(0))
    held.see(0, candidates(1))
    held.pool()
    assert len(base.described) == 1
    assert held.pool().responses == tuple(r for c in candidates(0) for r in c.responses)


def test_features_are_standardised_by_round_0_and_weighted_to_mean_square_1():
    """Mean 0 and, over rows and features, mean square 1 but for the constant feature and the sample variance's n - 1.

    Later rounds move nothing; features' own mean squares stand as the squares of their weights.
    """
    ledger = MemoryLedger()
    held = beliefs(ledger)
    held.see(0, candidates(0))
    first = held.features(0)
    for t in (1, 2, 3):
        held.see(t, candidates(t))
    ensemble = held.ensemble(before=0)
    z = ensemble.standardised(first)
    n = len(first)
    assert n == 12
    torch.testing.assert_close(z.mean(0), torch.zeros(WIDTH), atol=1e-5, rtol=0)
    square = z.square().sum(0) / (n - 1)
    weights = Describing().feature_weights
    expected = weights.square() / weights.square().mean()
    expected[4] = 0.0
    torch.testing.assert_close(square, expected, atol=1e-5, rtol=1e-5)
    assert float((square + torch.tensor([0, 0, 0, 0, 1.0]) / weights.square().mean()).mean()) == pytest.approx(1.0)


def test_only_earlier_rounds_are_believed():
    """`bought` and `ensemble` before round t are the same whether or not round t has been asked and told."""
    ledger = MemoryLedger()
    held = beliefs(ledger)
    held.see(0, candidates(0))
    buy(ledger, 0)
    early = held.ensemble(before=1), held.bought(before=1)
    buy(ledger, 1)
    late = beliefs(ledger)
    late.see(0, candidates(0))
    assert same(late.ensemble(before=1), early[0])
    assert torch.equal(late.bought(before=1), early[1])
    assert not same(late.ensemble(before=2), early[0])
    rows = [r for q in queries(0) for r in (q.a, q.b)]
    assert torch.equal(early[1], held.base.features([q.prompt for q in queries(0) for _ in "ab"], rows))
    assert len(late.bought(before=2)) == 12
    assert late.bought(before=0).shape == (0, WIDTH)


def test_a_label_that_comes_late_is_believed_by_those_who_looked_before():
    """People answer an old query after its round was fitted: held beliefs and rebuilt ones agree."""
    ledger = MemoryLedger()
    held = beliefs(ledger)
    held.see(0, candidates(0))
    ledger.ask(queries(0))
    looked = held.ensemble(before=1)
    for query in queries(0):
        attempt = ledger.reserve(query.id, bound=0.0, budget=Budget(None))
        ledger.tell(attempt.id, Preference(1.0), source="me", price=0.0)
        again = beliefs(ledger)
        again.see(0, candidates(0))
        assert same(held.ensemble(before=1), again.ensemble(before=1))
    assert not same(held.ensemble(before=1), looked)


def test_hypotheses_are_fitted_once_for_the_same_labels():
    ledger = MemoryLedger()
    held = beliefs(ledger)
    held.see(0, candidates(0))
    buy(ledger, 0)
    assert held.ensemble(before=1) is held.ensemble(before=1)


def test_without_a_label_the_hypotheses_are_the_prior_members():
    ledger = MemoryLedger()
    held = beliefs(ledger)
    held.see(0, candidates(0))
    prior = held.ensemble(before=0)
    empty = torch.empty(0, WIDTH)
    seed = derive(0, "hypotheses")
    direct = SETTINGS.fit(empty, empty, torch.empty(0), mean=prior.mean, scale=prior.scale, seed=seed)
    assert same(prior, direct)
    ledger.ask(queries(0))
    assert same(held.ensemble(before=1), prior)
    buy(ledger, 1)
    assert same(held.ensemble(before=1), prior)


def test_hypotheses_before_any_candidates_say_what_is_missing():
    with pytest.raises(AssertionError, match="see the first round"):
        beliefs(MemoryLedger()).ensemble(before=0)

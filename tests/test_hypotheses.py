"""Reward hypotheses: they learn what labels say, disagree where labels are silent, and novelty is what it claims."""

import pytest
import torch

from boldly.hypotheses import Ensemble, Hypotheses, Novelty


def labelled(n, weights, seed, noise=True):
    generator = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(n, len(weights), generator=generator) for _ in range(2))
    p = torch.sigmoid((a - b) @ weights)
    return a, b, torch.bernoulli(p, generator=generator) if noise else p


def fit(a, b, label, seed=0, **changes):
    f = a.shape[1]
    settings = Hypotheses(**{"members": 6, "units": 16, "steps": 300} | changes)
    return settings.fit(a, b, label, mean=torch.zeros(f), scale=torch.ones(f), seed=seed)


def test_the_mean_hypothesis_ranks_as_the_hidden_reward_does():
    """300 labels of a linear reward: rank correlation on fresh responses well above what noise allows."""
    weights = torch.tensor([2.0, -1.0, 0.5, 0.0])
    ensemble = fit(*labelled(300, weights, seed=1))
    fresh = torch.randn(400, 4, generator=torch.Generator().manual_seed(2))
    both = torch.stack([ensemble.rewards(fresh).mean(0), fresh @ weights])
    ranks = both.argsort(1).argsort(1).float()
    assert torch.corrcoef(ranks)[0, 1] > 0.9


def test_reward_differences_are_in_log_odds():
    """Exact probabilities as labels and a weak pull: the difference of rewards is their log-odds, on average."""
    weights = torch.tensor([1.0, -1.0])
    a, b, p = labelled(500, weights, seed=3, noise=False)
    ensemble = fit(a, b, p, anchor=1e-4, steps=600)
    differences = (ensemble.rewards(a) - ensemble.rewards(b)).mean(0)
    slope = torch.linalg.lstsq(torch.logit(p)[:, None], differences[:, None]).solution.item()
    assert slope == pytest.approx(1.0, abs=0.15)


def test_members_differ_more_where_no_label_spoke():
    """Labels vary along the first axis alone, within 1; members must disagree more far out on the second."""
    generator = torch.Generator().manual_seed(4)
    a, b = (torch.cat([torch.randn(200, 1, generator=generator), torch.zeros(200, 1)], 1) for _ in range(2))
    ensemble = fit(a, b, (a[:, 0] > b[:, 0]).float())
    known, unknown = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 4.0]])
    zero = ensemble.rewards(torch.zeros(1, 2))
    assert (ensemble.rewards(unknown) - zero).std() > 2 * (ensemble.rewards(known) - zero).std()


def test_without_labels_the_members_are_what_they_began_as_and_each_is_another():
    ensemble = fit(torch.empty(0, 3), torch.empty(0, 3), torch.empty(0))
    rewards = ensemble.rewards(torch.randn(10, 3, generator=torch.Generator().manual_seed(5)))
    assert rewards.shape == (6, 10)
    assert torch.unique(rewards[:, 0]).numel() == 6


def test_a_fit_depends_on_labels_and_seed_alone():
    data = labelled(40, torch.tensor([1.0, 0.0]), seed=6)
    torch.manual_seed(1)
    first = fit(*data, seed=7)
    torch.manual_seed(2)
    assert torch.equal(first.members.hidden, fit(*data, seed=7).members.hidden)
    assert not torch.equal(first.members.hidden, fit(*data, seed=8).members.hidden)


def test_a_stronger_anchor_stays_closer_to_the_beginning():
    data = labelled(100, torch.tensor([3.0, 0.0]), seed=9)
    start = fit(torch.empty(0, 2), torch.empty(0, 2), torch.empty(0))
    moved = [float((fit(*data, anchor=anchor).members.output - start.members.output).norm()) for anchor in (1e-4, 0.5)]
    assert moved[1] < moved[0]


def test_standardising_is_part_of_the_ensemble():
    data = labelled(60, torch.tensor([1.0, -1.0]), seed=10)
    plain = fit(*data)
    mean, scale = torch.tensor([5.0, -3.0]), torch.tensor([10.0, 0.1])
    moved = Hypotheses(members=6, units=16, steps=300).fit(
        data[0] * scale + mean, data[1] * scale + mean, data[2], mean=mean, scale=scale, seed=0
    )
    assert isinstance(moved, Ensemble)
    torch.testing.assert_close(moved.rewards(data[0] * scale + mean), plain.rewards(data[0]), atol=2e-3, rtol=1e-3)


def test_novelty_is_the_elliptical_norm_and_add_its_rank_one_update():
    generator = torch.Generator().manual_seed(11)
    z, bought = torch.randn(7, 4, generator=generator), torch.randn(5, 4, generator=generator)
    novelty = Novelty(z, bought, ridge=2.0)
    novelty.add(3)
    seen = torch.cat([bought, z[3:4]]).double()
    inverse = torch.linalg.inv(2.0 * torch.eye(4).double() + seen.T @ seen)
    expected = torch.stack([row @ inverse @ row for row in z.double()])
    torch.testing.assert_close(novelty.scores(), expected, atol=1e-12, rtol=1e-12)


def test_a_bought_response_is_less_novel_than_before():
    z = torch.randn(6, 3, generator=torch.Generator().manual_seed(12))
    novelty = Novelty(z, z[:0], ridge=1.0)
    before = novelty.scores()
    novelty.add(2)
    assert (novelty.scores() <= before + 1e-12).all()
    assert novelty.scores()[2] < before[2]

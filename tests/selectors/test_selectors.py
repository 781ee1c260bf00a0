"""Which pairs are put up for a label: each selector against its definition, by brute force."""

from itertools import combinations, product

import pytest
import torch

from boldly.errors import ConfigError
from boldly.hypotheses import Hypotheses
from boldly.selectors import SELECTORS, View, payable, thompson
from boldly.selectors.plain import most_diverse
from boldly.types import Candidates, Prompt, Response


def response(text, ended=True, origin="iterate-0"):
    tokens = tuple(sum(map(ord, word)) for word in text.split())
    return Response(text, tokens, origin, -1.0, -1.0, ended)


TEXTS = ["a b c", "a b d", "x y z", "a b c ", "", "q r"]


def candidates(n=6):
    return [
        Candidates(Prompt(f"prompt {i}"), tuple(response(text, ended=text != "q r") for text in TEXTS))
        for i in range(n)
    ]


def view(made=None, labels=4, seed=0):
    made = candidates() if made is None else made
    generator = torch.Generator().manual_seed(9)
    features = [torch.randn(len(c.responses), 3, generator=generator) for c in made]
    ratios = [torch.randn(len(c.responses), generator=generator) for c in made]
    hypotheses = Hypotheses(members=4, units=5).fit(
        torch.empty(0, 3), torch.empty(0, 3), torch.empty(0), mean=torch.zeros(3), scale=torch.ones(3), seed=1
    )
    return View(
        made,
        seed=seed,
        labels=labels,
        read_log_ratios=lambda: ratios,
        read_features=lambda: features,
        hypotheses=hypotheses,
        bought=torch.randn(8, 3, generator=generator),
    )


def test_duplicate_empty_and_truncated_responses_are_not_payable():
    assert payable(candidates(1)[0]) == [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]


@pytest.mark.parametrize("name", sorted(SELECTORS))
@pytest.mark.parametrize("count", [1, 3, 6, 9])
def test_no_selector_ever_picks_what_is_not_payable_or_a_prompt_twice(name, count):
    seen = view()
    picks = SELECTORS[name].function(seen, count)
    assert len(picks) == min(count, 6)
    assert len({pick.candidates for pick in picks}) == len(picks)
    for pick in picks:
        assert tuple(sorted((pick.a, pick.b))) in payable(seen.candidates[pick.candidates])


@pytest.mark.parametrize("name", sorted(SELECTORS))
def test_nothing_payable_gives_no_pick(name):
    same = [Candidates(Prompt(str(i)), (response("a"), response("a"))) for i in range(3)]
    assert SELECTORS[name].function(view(same), 2) == []


@pytest.mark.parametrize("name", sorted(SELECTORS))
def test_equal_seeds_give_equal_picks(name):
    assert SELECTORS[name].function(view(seed=3), 4) == SELECTORS[name].function(view(seed=3), 4)


def margins(seen):
    pairs = product(range(6), combinations(range(4), 2))
    return {
        (i, *pair): abs(float(seen.log_ratios[i][pair[0]] - seen.log_ratios[i][pair[1]]))
        for i, pair in pairs
        if pair in payable(seen.candidates[i])
    }


def test_margin_selectors_take_the_extremes_over_all_prompts():
    seen = view()
    known = margins(seen)
    for name, best in (("largest_implicit_margin", max), ("smallest_implicit_margin", min)):
        pick = SELECTORS[name].function(seen, 1)[0]
        assert tuple(pick) == best(known, key=known.__getitem__)
        picked = [known[tuple(pick)] for pick in SELECTORS[name].function(seen, 6)]
        assert picked == sorted(picked, reverse=best is max)


def test_best_and_worst_puts_the_best_first():
    seen = view()
    for name, scores in (
        ("best_and_worst_implicit", seen.log_ratios),
        ("best_and_worst", [reward.mean(0) for reward in seen.rewards]),
    ):
        for pick in SELECTORS[name].function(seen, 6):
            score = scores[pick.candidates]
            gaps = [abs(float(score[a] - score[b])) for a, b in payable(seen.candidates[pick.candidates])]
            assert float(score[pick.a] - score[pick.b]) == pytest.approx(max(gaps))


def test_most_diverse_takes_the_pair_that_shares_fewest_neighbours():
    """The first two share three of five token pairs, counting the beginning; the last shares one with each."""
    made = [Candidates(Prompt("p"), tuple(response(text) for text in ("a b c d", "a b c e", "a x y z")))]
    pick = most_diverse(view(made), 1)[0]
    assert 2 in (pick.a, pick.b)


def test_optimism_raises_the_weight_of_disagreement():
    seen = view()
    bounds = [rewards.mean(0) + 50 * rewards.std(0) for rewards in seen.rewards]
    for pick in SELECTORS["optimistic"].function(seen, 6, c=50.0):
        bound = bounds[pick.candidates]
        assert float(bound[pick.a]) == max(float(bound[i]) for i in range(4))


def test_thompson_without_novelty_takes_a_hypothesis_favourite_of_its_slot():
    seen = view()
    picks = thompson(seen, 3, novelty=0.0)
    for slot, pick in enumerate(picks):
        prompts = [slot, slot + 3]
        assert pick.candidates in prompts
        favourites = {
            max(product(prompts, range(4)), key=lambda c, k=k: float(seen.rewards[c[0]][k, c[1]])) for k in range(4)
        }
        assert (pick.candidates, pick.a) in favourites


def test_novel_slots_take_what_is_most_unlike_the_bought_ones():
    seen = view()
    z = seen.ensemble.standardised(torch.cat(seen.features)).double().clamp(-5, 5)
    inverse = torch.linalg.inv(
        20 * torch.eye(3).double() + seen.bought.double().clamp(-5, 5).T @ seen.bought.double().clamp(-5, 5)
    )
    scores = torch.einsum("rf,fg,rg->r", z, inverse, z).reshape(6, 6)[:, :4]
    assert tuple(thompson(seen, 1, novelty=1.0)[0])[:2] == divmod(int(scores.argmax()), 4)


def test_before_the_first_label_hypotheses_are_not_believed():
    """Every payable response has to come up as `a` over 400 seeds; a hypothesis would always favour the same one."""
    made = candidates(1)
    firsts = {thompson(view(made, labels=0, seed=seed), 1, novelty=0.0)[0].a for seed in range(400)}
    assert firsts == {0, 1, 2, 3}


def test_a_selector_that_needs_hypotheses_says_so():
    seen = View(candidates(), seed=0, labels=3, read_log_ratios=list, read_features=list)
    with pytest.raises(ConfigError, match="hypotheses"):
        thompson(seen, 2)

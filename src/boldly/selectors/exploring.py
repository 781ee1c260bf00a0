"""Selectors that decide by reward hypotheses: which label would teach most, over all prompts of the round."""

from itertools import accumulate

import torch

from boldly.hypotheses import Novelty
from boldly.selectors.plain import random_pair
from boldly.selectors.view import Pick, View, payable


def optimistic(view: View, count: int, *, c: float = 1.5) -> list[Pick]:
    """The response with the highest upper bound of each of the first prompts, against another drawn evenly.

        a = argmax of mean_k r_k + c sd_k r_k over the hypotheses k

    c = 0 is greedy. Until the first label the pairs are drawn evenly.
    """
    if not view.labels:
        return random_pair(view, count)
    generator = view.generator()
    picks: list[Pick] = []
    for i, (candidates, rewards) in enumerate(zip(view.candidates, view.rewards, strict=True)):
        if rivals := _rivals(payable(candidates)):
            bound = rewards.mean(0) + c * rewards.std(0)
            a = max(rivals, key=lambda response: float(bound[response]))
            picks.append(Pick(i, a, rivals[a][int(torch.randint(len(rivals[a]), (), generator=generator))]))
    return picks[:count]


def thompson(view: View, count: int, *, novelty: float = 0.25) -> list[Pick]:
    """Two hypotheses' favourites against each other, in some slots the most novel response instead.

    The prompts are dealt into `count` slots, and one pair is bought in each. A slot draws two hypotheses k, l: `a` is
    the argmax of r_k over all the slot's responses, `b` the argmax of r_l among the others of a's prompt in odd slots
    and drawn evenly in even ones. In a share `novelty` of the slots `a` is the response most unlike all bought ones
    (see `boldly.hypotheses.Novelty`): hypotheses that agree on a mediocre answer never leave it by themselves. Double
    Thompson sampling as in arXiv 2411.01493, across prompts. Until the first label the pairs are drawn evenly.
    """
    slots = [list(range(slot, len(view.candidates), count)) for slot in range(min(count, len(view.candidates)))]
    rivals = [_rivals(payable(candidates)) for candidates in view.candidates]
    rows = list(accumulate((len(candidates.responses) for candidates in view.candidates), initial=0))
    generator = view.generator()
    z = view.ensemble.standardised(torch.cat(view.features))
    bought = view.bought if view.bought is not None else z[:0]
    unlike = Novelty(z, view.ensemble.standardised(bought))
    picks: list[Pick] = []
    for slot, prompts in enumerate(slots):
        first, second = (int(k) for k in torch.randperm(view.rewards[0].shape[0], generator=generator)[:2])
        choices = [(i, a) for i in prompts for a in rivals[i]]
        if not choices:
            continue
        if slot < novelty * count:
            scores = unlike.scores()
            i, a = max(choices, key=lambda choice: float(scores[rows[choice[0]] + choice[1]]))
        elif view.labels:
            i, a = max(choices, key=lambda choice: float(view.rewards[choice[0]][first, choice[1]]))
        else:
            i, a = choices[int(torch.randint(len(choices), (), generator=generator))]
        others = rivals[i][a]
        if slot % 2 and view.labels:
            b = max(others, key=lambda response: float(view.rewards[i][second, response]))
        else:
            b = others[int(torch.randint(len(others), (), generator=generator))]
        for response in (a, b):
            unlike.add(rows[i] + response)
        picks.append(Pick(i, a, b))
    return picks


def _rivals(pairs: list[tuple[int, int]]) -> dict[int, list[int]]:
    rivals: dict[int, list[int]] = {}
    for a, b in pairs:
        rivals.setdefault(a, []).append(b)
        rivals.setdefault(b, []).append(a)
    return rivals

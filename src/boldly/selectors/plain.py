"""Selectors that look at nothing but the responses themselves."""

from itertools import pairwise

import torch

from boldly.selectors.view import Pick, View, payable
from boldly.types import Response


def first_pair(view: View, count: int) -> list[Pick]:
    """The first payable pair of each of the first prompts: with two responses a prompt, simply the pair.

    What XPO's Algorithm 1 and online DPO do. Needs nothing.
    """
    found = (next((Pick(i, *pair) for pair in payable(c)), None) for i, c in enumerate(view.candidates))
    return [pick for pick in found if pick is not None][:count]


def random_pair(view: View, count: int) -> list[Pick]:
    """A payable pair of each of the first prompts, drawn evenly: the arm that every other selector has to beat."""
    generator = view.generator()
    picks: list[Pick] = []
    for i, candidates in enumerate(view.candidates):
        if pairs := payable(candidates):
            picks.append(Pick(i, *pairs[int(torch.randint(len(pairs), (), generator=generator))]))
    return picks[:count]


def most_diverse(view: View, count: int) -> list[Pick]:
    """The two least alike responses of each of the first prompts.

    distance = 1 - |A and B| / |A or B|   with A, B the sets of the responses' neighbouring token pairs
    """
    picks: list[Pick] = []
    for i, candidates in enumerate(view.candidates):
        grams = [_bigrams(response) for response in candidates.responses]
        if pairs := payable(candidates):
            picks.append(Pick(i, *max(pairs, key=lambda pair: _distance(grams[pair[0]], grams[pair[1]]))))
    return picks[:count]


def _bigrams(response: Response) -> set[tuple[int, int]]:
    padded = (-1, *response.tokens)
    return set(pairwise(padded))


def _distance(a: set[tuple[int, int]], b: set[tuple[int, int]]) -> float:
    return 1 - len(a & b) / len(a | b)

"""Selectors that compare responses by a score: the policy's own implicit reward, or the reward hypotheses' mean."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from boldly.selectors.view import Pick, View, payable

Scores = list[Float[Tensor, " responses"]]


def largest_implicit_margin(view: View, count: int) -> list[Pick]:
    """The pairs on which the policy's implicit rewards differ most, one for each prompt, over all prompts.

    |h(a) - h(b)|, h = log pi/pi_ref in nats. As in APL (arXiv 2402.08114): where the policy is sure, and may be wrong.
    """
    return _by_margin(view, count, view.log_ratios, best=max)


def smallest_implicit_margin(view: View, count: int) -> list[Pick]:
    """The pairs on which the policy's implicit rewards differ least, one for each prompt, over all prompts.

    Where the label is least predictable under the policy. Assumes that labels are bought, not self-made.
    """
    return _by_margin(view, count, view.log_ratios, best=min)


def best_and_worst_implicit(view: View, count: int) -> list[Pick]:
    """The best against the worst response of each of the first prompts, by implicit reward; `a` is the best."""
    return _best_and_worst(view, count, view.log_ratios)


def best_and_worst(view: View, count: int) -> list[Pick]:
    """The best against the worst response of each of the first prompts, by the hypotheses' mean reward.

    The pair of RLHF Workflow (arXiv 2405.07863), with the reward learned from the labels bought so far.
    """
    return _best_and_worst(view, count, [reward.mean(0) for reward in view.rewards])


def _by_margin(view: View, count: int, scores: Scores, best: Callable[..., tuple[float, Pick]]) -> list[Pick]:
    ranked: list[tuple[float, Pick]] = []
    for i, (candidates, score) in enumerate(zip(view.candidates, scores, strict=True)):
        margins = [(abs(float(score[a] - score[b])), Pick(i, a, b)) for a, b in payable(candidates)]
        if margins:
            ranked.append(best(margins))
    ranked.sort(reverse=best is max)
    return [pick for _, pick in ranked[:count]]


def _best_and_worst(view: View, count: int, scores: Scores) -> list[Pick]:
    picks: list[Pick] = []
    for i, (candidates, score) in enumerate(zip(view.candidates, scores, strict=True)):
        if pairs := payable(candidates):
            a, b = max(pairs, key=lambda pair: abs(float(score[pair[0]] - score[pair[1]])))
            picks.append(Pick(i, a, b) if score[a] >= score[b] else Pick(i, b, a))
    return picks[:count]

"""An iterate on held-out prompts: one response to each, judged, and set beside the base model's."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean

from boldly.errors import InvalidInput
from boldly.metrics.distances import kl_policy, kl_reference, largest_log_ratio, reference_mass
from boldly.metrics.intervals import mean_interval, rule_of_three, win_rate
from boldly.oracles.protocol import Reward
from boldly.policy import Policy
from boldly.progress import Evaluation, Interval
from boldly.types import Prompt, Response

Kind = Callable[[Prompt, Response], str]
Prepare = Callable[[Sequence[Prompt], Sequence[Response]], None]
Preferences = Callable[[Sequence[Response]], Sequence[float | None]]


def evaluate(
    policy: Policy,
    base: Policy,
    prompts: Sequence[Prompt],
    *,
    base_responses: Sequence[Response],
    reward: Reward | None = None,
    kind: Kind | None = None,
    preferences: Preferences | None = None,
    prepare: Prepare | None = None,
    seed: int,
) -> tuple[Evaluation, list[Response]]:
    """How `policy` does on held-out prompts, and the responses that say so.

    `base_responses` are the base model's, one for each prompt, kept by the caller so that every iterate is set beside
    the same ones. Where `policy` is the base, by its name, they are its responses, so that there is one number for the
    base. With a `reward` the higher wins and equal ones tie. Without it `preferences` gives the probability that each
    of the policy's responses beats the base's (the caller buys them and keeps them; None where there is no verdict);
    without both there is no win rate. `prepare` is told all responses before their rewards are
    asked for. `kind` names what sort of answer a response is. A response on which the reward raises or is not finite is
    left out of reward, gain and win rate and counted in `unjudged`. The intervals of reward
    and gain allow for rewards that the draws missed, from the least to the greatest that policy and base came to here.

    Assumes that both policies draw at temperature 1: else the KL terms are not those of the policies. Raises
    `InvalidInput` for no prompts, and for base responses that the base did not draw or that are not one a prompt.
    """
    if not prompts or len(base_responses) != len(prompts):
        raise InvalidInput(
            f"an evaluation needs held-out prompts and one base response for each, got {len(prompts)} prompts and "
            f"{len(base_responses)} responses."
        )
    strangers = sorted({response.origin for response in base_responses} - {base.name})
    if strangers:
        raise InvalidInput(f"the base responses were drawn by {', '.join(strangers)} and not by {base.name!r}.")
    own = policy.name == base.name
    responses = list(base_responses) if own else [drawn for (drawn,) in policy.sample(prompts, 1, seed=seed)]
    ratios = _differences([r.log_prob for r in responses], base.log_probs(prompts, responses).tolist())
    base_ratios = _differences(policy.log_probs(prompts, base_responses).tolist(), [r.log_prob for r in base_responses])
    if prepare is not None:
        prepare(prompts, responses)
    rewards = rewards_of(reward, prompts, responses)
    base_rewards = rewards_of(reward, prompts, base_responses)
    pairs = [(a, b) for a, b in zip(rewards, base_rewards, strict=True) if a is not None and b is not None]
    seen = [value for value in (*rewards, *base_rewards) if value is not None]
    verdicts = _verdicts(rewards, base_rewards) if reward else preferences(responses) if preferences else []
    outcomes = [verdict for verdict in verdicts if verdict is not None]
    measured = Evaluation(
        reward=_reward([value for value in rewards if value is not None], seen),
        win_rate=win_rate(outcomes) if outcomes else None,
        kl_policy=kl_policy(ratios),
        kl_reference=kl_reference(base_ratios),
        reference_mass=reference_mass(base_ratios),
        largest_log_ratio=largest_log_ratio(ratios, base_ratios),
        length=mean_interval([float(response.length) for response in responses]),
        distinct=len({response.text for response in responses}) / len(responses),
        truncated=sum(not response.ended for response in responses) / len(responses),
        kinds=_shares(kind, prompts, responses),
        gain=_gain(pairs, seen, own=own),
        unjudged=rewards.count(None) if reward else list(verdicts).count(None),
    )
    return measured, responses


def rewards_of(reward: Reward | None, prompts: Sequence[Prompt], responses: Sequence[Response]) -> list[float | None]:
    """The reward of each response; None where there is no reward, or where it raises or is not finite."""
    return [_judged(reward, prompt, response) for prompt, response in zip(prompts, responses, strict=True)]


def _judged(reward: Reward | None, prompt: Prompt, response: Response) -> float | None:
    if reward is None:
        return None
    try:
        value = float(reward(prompt, response))
    except Exception:
        return None
    return value if math.isfinite(value) else None


def _verdicts(own: Sequence[float | None], base: Sequence[float | None]) -> list[float | None]:
    """1 where the own reward is higher, 0 where it is lower, 1/2 where they are equal."""
    return [None if a is None or b is None else 0.5 if a == b else float(a > b) for a, b in zip(own, base, strict=True)]


def _differences(first: Sequence[float], second: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(first, second, strict=True)]


def _reward(values: Sequence[float], seen: Sequence[float]) -> Interval | None:
    return rule_of_three(mean_interval(values), min(seen), max(seen)) if values else None


def _gain(pairs: Sequence[tuple[float, float]], seen: Sequence[float], *, own: bool) -> Interval | None:
    """The mean of the paired differences, and what a missed reward can do to it; the base's `own` is 0 and certain."""
    if not pairs:
        return None
    gain, base = mean_interval([a - b for a, b in pairs]), fmean(b for _, b in pairs)
    return gain if own else rule_of_three(gain, min(seen) - base, max(seen) - base)


def _shares(kind: Kind | None, prompts: Sequence[Prompt], responses: Sequence[Response]) -> dict[str, float]:
    if kind is None:
        return {}
    counts = Counter(str(kind(prompt, response)) for prompt, response in zip(prompts, responses, strict=True))
    return {name: count / len(responses) for name, count in sorted(counts.items())}

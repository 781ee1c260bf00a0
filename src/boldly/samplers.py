"""Who draws the responses of a query.

A sampler says how many responses each policy of the round draws to each prompt. The policy's come first, so with one
of each, `a` is the policy's and `b` the reference's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat

from boldly.errors import ConfigError
from boldly.policy import Policy, Together
from boldly.randomness import derive
from boldly.types import Candidates, Prompt


@dataclass(frozen=True, slots=True)
class Sampler:
    """Draws `policy` responses from the round's policy and `reference` from its reference, to each prompt."""

    policy: int
    reference: int

    def __call__(self, policy: Policy, reference: Policy, prompts: Sequence[Prompt], *, seed: int) -> list[Candidates]:
        """The candidates of each prompt; equal seeds give equal draws."""
        mine, theirs = derive(seed, "policy"), derive(seed, "reference")
        if self.policy and self.reference and isinstance(policy, Together):
            n = self.policy, self.reference
            a, b = policy.sample_beside(reference, prompts, n, seeds=(mine, theirs))
            return [Candidates(prompt, (*own, *other)) for prompt, own, other in zip(prompts, a, b, strict=True)]
        a = policy.sample(prompts, self.policy, seed=mine) if self.policy else repeat(())
        b = reference.sample(prompts, self.reference, seed=theirs) if self.reference else repeat(())
        return [Candidates(prompt, (*own, *other)) for prompt, own, other in zip(prompts, a, b, strict=False)]


def _counted(policy: int, reference: int) -> Sampler:
    if min(policy, reference) < 0 or policy + reference < 2:
        raise ConfigError(
            f"the sampler draws {policy} + {reference} responses a prompt, but a query needs two: "
            "write `sampler: {name: policy_and_reference}`."
        )
    return Sampler(policy, reference)


def policy_and_reference() -> Sampler:
    """One response from the policy and one from the reference: XPO (arXiv 2405.21046, Algorithm 1, steps 1-2)."""
    return _counted(1, 1)


def policy_twice() -> Sampler:
    """Both responses from the policy: online DPO, VPO and SELM as they are usually run.

    Solved exactly and greedily this stops learning after one label, as both samples coincide; what it learns
    rests on the policy's own randomness.
    """
    return _counted(2, 0)


def n_from_policy(*, n: int = 8) -> Sampler:
    """`n` responses from the policy, for a selector to choose from."""
    return _counted(n, 0)


def mixture(*, policy: int = 4, reference: int = 8) -> Sampler:
    """`policy` responses from the policy and `reference` from the reference, for a selector to choose from."""
    return _counted(policy, reference)


SAMPLERS: dict[str, Callable[..., Sampler]] = {
    "mixture": mixture,
    "n_from_policy": n_from_policy,
    "policy_and_reference": policy_and_reference,
    "policy_twice": policy_twice,
}

"""What a policy is to the loop: something that samples, scores, describes and freezes."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from boldly.types import Prompt, Response


@runtime_checkable
class Describes(Protocol):
    """What a small reward model sees of responses (see `boldly.hypotheses`)."""

    def features(self, prompts: Sequence[Prompt], responses: Sequence[Response]) -> Float[Tensor, "responses features"]:
        """What a small reward model may see of each response."""
        ...

    @property
    def feature_weights(self) -> Float[Tensor, " features"]:
        """How much each feature counts beside the others once all are standardised; only ratios matter."""
        ...


@runtime_checkable
class Policy(Describes, Protocol):
    """A distribution over responses to a prompt.

    The exact lab and the language models implement it. `name` is unique within a run and names the weights, not
    the object: a policy that has learned since has another name. A frozen policy never changes.
    """

    @property
    def name(self) -> str: ...

    def sample(self, prompts: Sequence[Prompt], n: int, *, seed: int) -> list[list[Response]]:
        """Draw `n` responses to each prompt, with their log-probabilities; equal seeds give equal draws."""
        ...

    def log_probs(self, prompts: Sequence[Prompt], responses: Sequence[Response]) -> Float[Tensor, " responses"]:
        """log pi(response | prompt) in nats, one prompt for each response, summed over its tokens at temperature 1."""
        ...

    def freeze(self, name: str) -> "Policy":
        """A copy under `name` that never changes."""
        ...

    def average(self, other: "Policy", weight: float, name: str) -> "Policy":
        """The policy whose parameters are (1 - weight) * own + weight * other's, under `name`."""
        ...


@runtime_checkable
class Together(Protocol):
    """A policy that can draw side by side with another one, which takes less time than one after the other."""

    def sample_beside(
        self, other: Policy, prompts: Sequence[Prompt], n: tuple[int, int], *, seeds: tuple[int, int]
    ) -> tuple[list[list[Response]], list[list[Response]]]:
        """What `sample` of this policy and of the other give, each with its `n` and seed, up to rounding."""
        ...


@runtime_checkable
class Iterates(Protocol):
    """The frozen policies of a run so far: number 0 is the base model, number t the policy that round t starts from."""

    def __len__(self) -> int: ...

    def __getitem__(self, t: int, /) -> Policy: ...

"""Learning from the newest round's labels alone."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.learners.exact import Exact
from boldly.lab.learners.protocol import Evidence, Fit, Learner, Setting


@dataclass(frozen=True, slots=True)
class Newest:
    """As `learner`, but shown no label of an earlier round.

    What self-play is stated with: SPPO (arXiv 2405.00675), REBEL (2404.16767) and online IPO (2403.08635) take the
    expectation over pairs that the present policy draws, of which older labels are no sample.

    Raises `InvalidInput` for `Exact`, which adds the newest labels to those that it has seen.
    """

    learner: Learner

    def __post_init__(self) -> None:
        if isinstance(self.learner, Exact):
            raise InvalidInput(
                "Exact keeps the sum over every label seen and can't forget: write `Newest(Natural(0.5, steps=1))`."
            )

    def begin(self, setting: Setting) -> Fit:
        inner = self.learner.begin(setting)

        def fit(
            policy: Float[Tensor, "repetitions prompts responses"],
            reference: Float[Tensor, "repetitions prompts responses"],
            evidence: Evidence,
        ) -> Float[Tensor, "repetitions prompts responses"]:
            newest = evidence.newest
            return inner(policy, reference, Evidence(evidence.round, newest, lambda: newest))

        return fit

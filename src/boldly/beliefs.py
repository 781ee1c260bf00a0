"""What a run believes of rewards before paying: features, reward hypotheses fitted to its labels, and a pool.

Everything here is a function of the ledger, the archive and the seed. Features are computed round by round in the same
batches whenever they are computed, so a resumed run believes bit for bit what an uninterrupted one would.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.hypotheses import Ensemble, Hypotheses
from boldly.learner import Pool
from boldly.ledger.history import History, Stored
from boldly.policy import Describes
from boldly.randomness import derive
from boldly.types import Candidates


@dataclass(slots=True)
class Beliefs:
    """Reward hypotheses on the features of the base model, and the candidates of the last `window` rounds."""

    base: Describes
    hypotheses: Hypotheses
    history: History
    window: int
    seed: int
    _candidates: dict[int, list[Candidates]] = field(default_factory=dict, init=False)
    _features: dict[int, Float[Tensor, "responses features"]] = field(default_factory=dict, init=False)
    _bought: dict[int, Float[Tensor, "pairs 2 features"]] = field(default_factory=dict, init=False)
    _moments: tuple[Tensor, Tensor] | None = field(default=None, init=False)
    _fitted: tuple[Stored, Ensemble] | None = field(default=None, init=False)

    def see(self, t: int, candidates: Sequence[Candidates]) -> None:
        """Add a round's candidates to the pool and drop the round that leaves the window.

        Features are standardised by round 0's candidates, whose mean and scale stay for the whole run, and weighted as
        the policy says, so that their mean square is 1.
        """
        if t in self._features:
            return
        self._candidates[t] = list(candidates)
        self._features[t] = self.describe(candidates)
        if self._moments is None:
            features = self._features[t]
            weights = self.base.feature_weights
            scale = features.std(0).clamp(min=1e-3) / weights * weights.square().mean().sqrt()
            self._moments = features.mean(0), scale
        for old in [seen for seen in self._features if seen <= t - self.window]:
            del self._candidates[old], self._features[old]

    def describe(self, candidates: Sequence[Candidates]) -> Float[Tensor, "responses features"]:
        """The features of every response of `candidates`, in order."""
        pairs = [(c.prompt, response) for c in candidates for response in c.responses]
        return self.base.features([prompt for prompt, _ in pairs], [response for _, response in pairs])

    def features(self, t: int) -> Float[Tensor, "responses features"]:
        """The features of round t's candidates, in order."""
        return self._features[t]

    def pool(self) -> Pool:
        """The candidates of the last rounds, oldest first, with their features."""
        kept = sorted(self._candidates)
        pairs = [(c.prompt, r) for t in kept for c in self._candidates[t] for r in c.responses]
        return Pool(
            tuple(prompt for prompt, _ in pairs),
            tuple(response for _, response in pairs),
            torch.cat([self._features[t] for t in kept]),
        )

    def bought(self, before: int) -> Float[Tensor, "responses features"]:
        """The features of both responses of every query that was asked before a round."""
        return (
            torch.cat([self._asked(t) for t in range(before)]).flatten(0, 1) if before else torch.empty(0, self._width)
        )

    def ensemble(self, before: int) -> Ensemble:
        """The hypotheses that the labels of the rounds before `before` leave."""
        data = self.history.comparisons(before)
        if self._fitted is None or self._fitted[0].marks != data.marks:
            self._fitted = (data, self._fit(data))
        return self._fitted[1]

    @property
    def _width(self) -> int:
        return next(iter(self._features.values())).shape[-1]

    def _asked(self, t: int) -> Float[Tensor, "pairs 2 features"]:
        if t not in self._bought:
            pairs = [Candidates(query.prompt, (query.a, query.b)) for query in self.history.ledger.queries(t)]
            self._bought[t] = self.describe(pairs).unflatten(0, (len(pairs), 2))
        return self._bought[t]

    def _fit(self, data: Stored) -> Ensemble:
        assert self._moments is not None, "see the first round's candidates before asking for hypotheses"
        asked = [self._asked(t) for t in range(data.marks[-1].round + 1 if data.marks else 0)]
        starts = list(accumulate(map(len, asked), initial=0))
        rows = [starts[mark.round] + mark.place for mark in data.marks]
        pairs = torch.cat(asked)[rows] if rows else torch.empty(0, 2, self._width)
        label = torch.tensor([mark.probability for mark in data.marks], dtype=pairs.dtype)
        mean, scale = self._moments
        seed = derive(self.seed, "hypotheses")
        return self.hypotheses.fit(pairs[:, 0], pairs[:, 1], label, mean=mean, scale=scale, seed=seed)

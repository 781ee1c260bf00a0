"""The learner that projects: reward hypotheses say what the policy should be, sampled responses are fitted to it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.learner import Evidence, Pool, StepReport
from boldly.lm.encode import encode
from boldly.lm.learners.descent import Descent
from boldly.lm.pack import Group
from boldly.lm.policy import LMPolicy
from boldly.lm.score import packs, score_pack
from boldly.objectives import Loss, Points, likelihood, projection_weights, reduce, target_log_ratios
from boldly.policy import Policy


@dataclass(slots=True)
class ProjectionLearner:
    """pi_{t+1} = the projection of pi_ref exp(u / beta) / Z onto the model, in forward KL over a pool of samples.

        u(y) = mean_k r_k(y) + c sd_k r_k(y) over the reward hypotheses k,   c = optimism * max(0, 1 - labels / fade)

    The pool holds the candidates of the last rounds, for which no label was needed. `steps` steps of `batch` responses
    a round, drawn with the weights of `boldly.objectives.projection_weights`. It is exact for responses of one length
    that the reference drew: the likelihood is per token, so a response counts as 1 / length, and what the policy drew
    itself is in the pool without importance weights. Responses that were cut have the least u
    of all. `beta` is reward per nat in the hypotheses' log-odds. Nothing happens until `warmup` labels are bought. The
    policy is re-targeted from the reference in each round, so what early hypotheses got wrong is undone in one or two.
    """

    descent: Descent
    beta: float = 0.7
    steps: int = 16
    batch: int = 32
    above: float = 0.5
    bound: float = 8.0
    warmup: int = 64
    optimism: float = 1.0
    fade: int = 256
    hypotheses: bool = field(default=True, init=False)

    def fit(
        self, policy: Policy, reference: Policy, evidence: Evidence, *, name: str, seed: int
    ) -> tuple[Policy, tuple[StepReport, ...]]:
        assert isinstance(policy, LMPolicy)
        if len(evidence.comparisons) < self.warmup:
            return policy.renamed(name), ()
        assert evidence.pool is not None
        weights = self._weights(evidence, reference)
        generator = torch.Generator().manual_seed(seed)
        labels = evidence.comparisons.sequences
        reports: list[StepReport] = []
        with policy.training():
            for _ in range(self.steps):
                rows = torch.multinomial(weights, self.batch, replacement=True, generator=generator).tolist()
                losses = _Losses(policy, evidence.pool, sorted(rows))
                reports.append(self.descent.step(policy.lm.module, losses, labels))
        return policy.renamed(name), tuple(reports)

    def _weights(self, evidence: Evidence, reference: Policy) -> Float[Tensor, " pool"]:
        pool, ensemble = evidence.pool, evidence.hypotheses
        assert pool is not None
        assert ensemble is not None
        rewards = ensemble.rewards(pool.features)
        c = self.optimism * max(0.0, 1 - len(evidence.comparisons) / self.fade)
        bound = rewards.mean(0) + c * rewards.std(0)
        ended = torch.tensor([response.ended for response in pool.responses])
        drawn = torch.tensor([response.origin == reference.name for response in pool.responses])
        reward = torch.where(ended, bound, bound.min())
        target = target_log_ratios(reward, drawn, beta=self.beta, bound=self.bound)
        return projection_weights(target, above=self.above, at_least=self.batch)

    def state(self) -> Mapping[str, Tensor]:
        return self.descent.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.descent.restore(state)


@dataclass(frozen=True, slots=True)
class _Losses:
    """The micro-batches of one step, each weighted so that they sum to the mean over the whole batch."""

    policy: LMPolicy
    pool: Pool
    rows: list[int]

    def __call__(self, batch_tokens: int) -> Iterator[Loss]:
        lm = self.policy.lm
        by_prompt = groupby(self.rows, key=lambda row: self.pool.prompts[row].id)
        runs = [list(run) for _, run in by_prompt]
        groups = [
            Group(encode(lm, self.pool.prompts[run[0]]), tuple(self.pool.responses[row].tokens for row in run))
            for run in runs
        ]
        for pack in packs(lm, groups, batch_tokens):
            scores = score_pack(lm, pack)
            lengths = [float(len(tokens)) for i in pack.places for tokens in groups[i].responses]
            points = Points(scores, torch.tensor(lengths).to(scores), torch.ones_like(scores))
            share = len(lengths) / len(self.rows)
            yield Loss(*(share * term for term in reduce(likelihood(points), points.weight)))

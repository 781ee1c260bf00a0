"""The learner of XPO and its family: gradient steps on an objective over labelled pairs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from boldly.learner import Evidence, StepReport
from boldly.lm.encode import encode
from boldly.lm.learners.descent import Descent
from boldly.lm.pack import Group
from boldly.lm.policy import LMPolicy
from boldly.lm.score import packs, score_pack
from boldly.objectives import Column, Loss, Pairs, Terms, reduce
from boldly.policy import Policy
from boldly.tables import compared, tabulate
from boldly.types import Comparison


@dataclass(slots=True)
class PreferenceLearner:
    """pi_{t+1} = argmin of an objective, by `steps` steps of `batch` pairs in each round.

    With `history` "all" the pairs come from every round, as Algorithm 1 of arXiv 2405.21046 has it, and with
    "newest" from this round alone. No pair comes twice before every other came once. Only those that are drawn and this
    round's are read, and scored by the reference, however long the history is. `columns` are what the objective
    reads beside the pair (see `boldly.objectives`). `decay_to` is the share of the learning rate that is left when the
    budget is spent, reached linearly.
    """

    objective: Callable[[Pairs], Terms]
    columns: frozenset[Column]
    descent: Descent
    steps: int = 8
    batch: int = 32
    history: Literal["all", "newest"] = "all"
    decay_to: float = 1.0
    hypotheses: bool = field(default=False, init=False)

    def fit(
        self, policy: Policy, reference: Policy, evidence: Evidence, *, name: str, seed: int
    ) -> tuple[Policy, tuple[StepReport, ...]]:
        assert isinstance(policy, LMPolicy)
        count, first = len(evidence.comparisons), 0 if self.history == "all" else evidence.first
        if first == count:
            return policy.renamed(name), ()
        generator = torch.Generator().manual_seed(seed)
        drawn = [[first + i for i in rows] for rows in batches(count - first, self.batch, self.steps, generator)]
        needed = sorted({*range(evidence.first, count), *(row for rows in drawn for row in rows)})
        data = evidence.comparisons.at(needed)
        scores = _scored(reference, data, self.columns, evidence)
        places = {row: place for place, row in enumerate(needed)}
        rate = 1 + (self.decay_to - 1) * min(1.0, evidence.spent)
        reports: list[StepReport] = []
        with policy.training():
            for rows in drawn:
                batch = [places[row] for row in rows]
                chosen = [data[place] for place in batch]
                losses = _Losses(policy, chosen, scores[batch], self.columns, self.objective)
                reports.append(self.descent.step(policy.lm.module, losses, tuple(c.sequence for c in chosen), rate))
        return policy.renamed(name), tuple(reports)

    def state(self) -> Mapping[str, Tensor]:
        return self.descent.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.descent.restore(state)


@dataclass(frozen=True, slots=True)
class _Losses:
    """The micro-batches of one step, each weighted so that they sum to the mean over the whole batch."""

    policy: LMPolicy
    data: Sequence[Comparison]
    reference: Tensor
    columns: frozenset[Column]
    objective: Callable[[Pairs], Terms]

    def __call__(self, batch_tokens: int) -> Iterator[Loss]:
        lm, whole = self.policy.lm, sum(comparison.weight for comparison in self.data)
        distinct = [_distinct([r.tokens for r in compared(c, self.columns)]) for c in self.data]
        groups = [Group(encode(lm, c.query.prompt), tokens) for c, (tokens, _) in zip(self.data, distinct, strict=True)]
        for pack in packs(lm, groups, batch_tokens):
            scores = score_pack(lm, pack).split([len(groups[i].responses) for i in pack.places])
            rows = list(pack.places)
            policy = torch.stack([score[distinct[i][1]] for i, score in zip(rows, scores, strict=True)])
            reference = self.reference[rows].to(policy)
            table = tabulate([self.data[i] for i in rows], policy, reference)
            share = float(table.weight.sum()) / whole
            yield Loss(*(share * term for term in reduce(self.objective(table), table.weight)))


def batches(n: int, size: int, steps: int, generator: torch.Generator) -> Iterator[list[int]]:
    """`steps` batches of `size` of `n` rows (all, if there are fewer), no row more than once oftener than another."""
    size = min(size, n)
    queue: list[int] = []
    for left in range(steps, 0, -1):
        while len(queue) < size:
            order = torch.randperm(n, generator=generator)[: (left + 1) * size].tolist()  # no more of it is needed
            queue += sorted(order, key=queue.__contains__)
        yield queue[:size]
        queue = queue[size:]


def _distinct(tokens: Sequence[tuple[int, ...]]) -> tuple[tuple[tuple[int, ...], ...], list[int]]:
    """The different entries of `tokens`, and where each entry is among them: no response is scored twice."""
    unique = tuple(dict.fromkeys(tokens))
    return unique, [unique.index(entry) for entry in tokens]


def _scored(reference: Policy, data: Sequence[Comparison], columns: frozenset[Column], evidence: Evidence) -> Tensor:
    """log pi_ref (nats) of the compared responses, a row for each comparison; from the ledger where it is known."""
    rows = [compared(comparison, columns) for comparison in data]
    prompts = [c.query.prompt for c, row in zip(data, rows, strict=True) for _ in row]
    scores = evidence.log_probs(reference, prompts, [response for row in rows for response in row])
    return scores.reshape(len(rows), -1)

"""A loop over four answers and seven prompts, small enough to be known exactly."""

from dataclasses import dataclass, field

import torch

from boldly.ledger import Budget, MemoryLedger
from boldly.loop import Loop, Parts, Schedule
from boldly.objectives import reduce
from boldly.oracles import BradleyTerry
from boldly.references import fixed
from boldly.samplers import mixture, policy_twice
from boldly.selectors import first_pair, thompson
from boldly.tables import compared, tabulate
from boldly.types import Prompt
from tests.support.tabular import MemoryArchive, TabularPolicy


@dataclass
class LogitLearner:
    """One gradient step on the logits, so that runs differ in every digit if anything differs."""

    beta: float = 0.3
    alpha: float = 0.05
    hypotheses: bool = False
    seen: list = field(default_factory=list)

    def fit(self, policy, reference, evidence, *, name, seed):
        data = tuple(evidence.comparisons)
        self.seen.append(tuple(c.sequence for c in data))
        logits = policy.logits.clone().requires_grad_()
        if data:
            arms = torch.tensor([[r.tokens[0] for r in compared(c, ())] for c in data])
            log_pi = torch.log_softmax(logits, 0)
            table = tabulate(data, log_pi[arms], reference.log_pi[arms])
            from boldly.objectives import dpo

            reduce(dpo(table, beta=self.beta), table.weight).total.backward()
            logits = logits - logits.grad
        return TabularPolicy(logits.detach(), name), ()

    def state(self):
        return {}

    def restore(self, state):
        pass


def small_loop(
    ledger=None, archive=None, learner=None, seed=0, budget=24, sampler=None, selector=first_pair, **changes
):
    base = TabularPolicy(torch.tensor([1.0, 0.0, -1.0, -2.0], dtype=torch.float64))
    archive = archive or MemoryArchive(base)
    policy = archive[len(archive) - 1]
    return Loop(
        policy=policy,
        prompts=[Prompt(f"question {i}") for i in range(7)],
        parts=Parts(sampler or policy_twice(), selector, fixed, learner or LogitLearner(), **changes),
        ledger=ledger or MemoryLedger(),
        archive=archive,
        budget=Budget(budget),
        schedule=Schedule(labels_per_round=4, prompts_per_label=2),
        seed=seed,
    )


def small_oracle(seed=0):
    return BradleyTerry(lambda prompt, response: float(response.tokens[0]), seed=seed)


def verdicts_of(oracle, queries):
    return [(said.query, said.verdict) for said in oracle(queries)]


def bought(loop):
    return [(label.query.id, label.verdict) for label in loop.ledger.labels()]


def hypotheses_parts():
    from boldly.hypotheses import Hypotheses

    settings = Hypotheses(members=3, units=4, steps=10, batch=8)
    return {"sampler": mixture(policy=2, reference=2), "selector": thompson, "hypotheses": settings}

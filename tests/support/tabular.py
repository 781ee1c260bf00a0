"""A policy small enough to be known exactly: a softmax table over numbered responses, the same for every prompt."""

from dataclasses import dataclass

import torch

from boldly.types import Response


@dataclass(frozen=True)
class TabularPolicy:
    """`logits` over responses "0", "1", ..., in float64."""

    logits: torch.Tensor
    name: str = "iterate-0"

    @property
    def log_pi(self):
        return torch.log_softmax(self.logits, 0)

    def sample(self, prompts, n, *, seed):
        generator = torch.Generator().manual_seed(seed)
        arms = torch.multinomial(self.log_pi.exp(), len(prompts) * n, replacement=True, generator=generator)
        return [[self.response(int(arm)) for arm in row] for row in arms.reshape(len(prompts), n)]

    def response(self, arm):
        log_prob = float(self.log_pi[arm])
        return Response(f"arm {arm}", (arm,), self.name, log_prob, log_prob)

    def log_probs(self, prompts, responses):
        return self.log_pi[[response.tokens[0] for response in responses]]

    def features(self, prompts, responses):
        return torch.nn.functional.one_hot(
            torch.tensor([response.tokens[0] for response in responses]), len(self.logits)
        ).float()

    @property
    def feature_weights(self):
        return torch.ones(len(self.logits))

    def freeze(self, name):
        return TabularPolicy(self.logits.clone(), name)

    def average(self, other, weight, name):
        return TabularPolicy((1 - weight) * self.logits + weight * other.logits, name)


class MemoryArchive:
    """The iterates of a run as a list."""

    def __init__(self, base):
        self.policies, self.seen, self.states = [base], [], []

    def __len__(self):
        return len(self.policies)

    def __getitem__(self, t):
        return self.policies[t]

    def keep(self, policy, *, state, candidates, facts):
        self.policies.append(policy.freeze(policy.name))
        self.states.append(dict(state))
        self.seen.append(list(candidates))

    def candidates(self, t):
        return self.seen[t]

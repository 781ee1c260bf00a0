"""What never changes is computed once: log-probabilities under frozen policies."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.ledger.protocol import Ledger
from boldly.policy import Policy
from boldly.types import Prompt, Response


class Scores:
    """log pi(response | prompt) under frozen policies, taken from the ledger where it holds them.

    A response that the policy drew itself carries its own log-probability; the rest is computed in one call of
    `Policy.log_probs`, each response once, and recorded. Assumes that the policy is frozen: its name stands for its
    weights.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __call__(
        self, policy: Policy, prompts: Sequence[Prompt], responses: Sequence[Response]
    ) -> Float[Tensor, "responses"]:
        """log pi(response | prompt) in nats, one prompt for each response, in float32 on the CPU."""
        keys = [(prompt.id, response.id) for prompt, response in zip(prompts, responses, strict=True)]
        values = {
            key: response.log_prob
            for key, response in zip(keys, responses, strict=True)
            if response.origin == policy.name and not math.isnan(response.log_prob)
        }
        values.update(self._ledger.log_probs(policy.name, {key for key in keys if key not in values}))
        missing = {key: place for place, key in enumerate(keys) if key not in values}
        if missing:
            places = list(missing.values())
            computed = policy.log_probs([prompts[i] for i in places], [responses[i] for i in places])
            new = {key: float(value) for key, value in zip(missing, computed.detach().cpu(), strict=True)}
            self._ledger.record_log_probs(policy.name, new)
            values.update(new)
        return torch.tensor([values[key] for key in keys], dtype=torch.float32)

"""The weighted mean of an objective over everything bought, each repetition its own, as a function of log pi."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from boldly.lab.evidence import Rows, log_probs
from boldly.lab.learners.protocol import Setting
from boldly.objectives import Pairs, Terms


@dataclass(frozen=True, slots=True)
class Mean:
    """sum_i w_i x_i / sum_i w_i over the rows i of each repetition, x the preference term plus the bonus.

    The columns are those that don't depend on the policy, `a` before `b`: `place` numbers a response among those of all
    prompts, `reference` is log pi_ref (nats), `length` tokens, `reward` its worth; `share` its weight over the sum of
    weights.
    """

    objective: Callable[[Pairs], Terms]
    place: Int[Tensor, "2 repetitions rows"]
    reference: Float[Tensor, "2 repetitions rows"]
    length: Float[Tensor, "2 repetitions rows"]
    reward: Float[Tensor, "2 repetitions rows"]
    label: Float[Tensor, "repetitions rows"]
    share: Float[Tensor, "repetitions rows"]

    def taken(self, repetitions: Int[Tensor, " some"]) -> "Mean":
        """The same for some of the repetitions, any of them once, several times or never."""
        return Mean(
            self.objective,
            self.place[:, repetitions],
            self.reference[:, repetitions],
            self.length[:, repetitions],
            self.reward[:, repetitions],
            self.label[repetitions],
            self.share[repetitions],
        )

    def columns(self, log_pi: Float[Tensor, "repetitions prompts responses"]) -> Float[Tensor, "2 repetitions rows"]:
        """log pi of both responses of each row, in nats."""
        table = log_pi.flatten(-2)
        return torch.stack([table.gather(-1, place) for place in self.place])

    def losses(self, columns: Float[Tensor, "2 repetitions rows"]) -> Float[Tensor, "repetitions rows"]:
        """Each row's share of the mean. The bonus is taken on `b`, whose two columns are therefore one."""
        a, b = columns.flatten(1)
        reference_a, reference_b = self.reference.flatten(1)
        length_a, length_b = self.length.flatten(1)
        reward_a, reward_b = self.reward.flatten(1)
        pairs = Pairs(
            policy_a=a,
            policy_b=b,
            reference_a=reference_a,
            reference_b=reference_b,
            label=self.label.flatten(),
            weight=self.share.flatten(),
            length_a=length_a,
            length_b=length_b,
            policy_explore=b,
            reference_explore=reference_b,
            reward_a=reward_a,
            reward_b=reward_b,
        )
        terms = self.objective(pairs)
        return self.share * (terms.preference + terms.bonus).reshape(self.share.shape)

    def slopes(self, columns: Float[Tensor, "2 repetitions rows"]) -> Float[Tensor, "2 repetitions rows"]:
        """The derivatives of the mean by each row's two log-probabilities."""
        leaf = columns.detach().requires_grad_()
        (slopes,) = torch.autograd.grad(self.losses(leaf).sum(), leaf)
        return slopes

    def derivatives(
        self, columns: Float[Tensor, "2 repetitions rows"]
    ) -> tuple[Float[Tensor, "2 repetitions rows"], Float[Tensor, "3 repetitions rows"]]:
        """As `slopes`, and the second derivatives aa, ab and bb of each row."""
        leaf = columns.detach().requires_grad_()
        (first,) = torch.autograd.grad(self.losses(leaf).sum(), leaf, create_graph=True)
        if not first.requires_grad:
            return first, first.new_zeros(3, *first.shape[1:])
        (by_a,) = torch.autograd.grad(first[0].sum(), leaf, retain_graph=True, materialize_grads=True)
        (by_b,) = torch.autograd.grad(first[1].sum(), leaf, materialize_grads=True)
        return first.detach(), torch.stack([by_a[0], by_a[1], by_b[1]])

    def gathered(self, rows: Float[Tensor, "2 repetitions rows"], places: int) -> Float[Tensor, "repetitions places"]:
        """What the rows say of each response, summed over all rows that it stands in."""
        sums = rows.new_zeros(rows.shape[1], places)
        for place, values in zip(self.place, rows, strict=True):
            sums.scatter_add_(-1, place, values)
        return sums


def mean(setting: Setting, rows: Rows, reference: Float[Tensor, "repetitions prompts responses"]) -> Mean:
    """The mean of the setting's objective over `rows`. Assumes a positive sum of weights in every repetition."""
    responses = setting.problem.responses
    both, rewards = (rows.a, rows.b), setting.problem.reward.expand(setting.log_reference.shape)
    return Mean(
        setting.objective,
        place=torch.stack([rows.prompt * responses + response for response in both]),
        reference=torch.stack([log_probs(reference, rows.prompt, response) for response in both]),
        length=torch.stack([setting.problem.length[response] for response in both]),
        reward=torch.stack([log_probs(rewards, rows.prompt, response) for response in both]),
        label=rows.label,
        share=rows.weight / rows.weight.sum(-1, keepdim=True),
    )


def logit_slope(
    mean: Mean, log_pi: Float[Tensor, "repetitions prompts responses"]
) -> Float[Tensor, "repetitions prompts responses"]:
    """The gradient of the mean by the logits of a softmax table: G - pi sum G, with G the one by log pi."""
    by_log_pi = mean.gathered(mean.slopes(mean.columns(log_pi)), log_pi.shape[-2] * log_pi.shape[-1])
    by_log_pi = by_log_pi.reshape(log_pi.shape)
    return by_log_pi - log_pi.exp() * by_log_pi.sum(-1, keepdim=True)

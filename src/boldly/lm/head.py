"""The output layer and the log-softmax in one: one matrix [tokens, vocabulary], or none, through both passes.

    log p_t = z_t[y_t] - log sum_v exp z_t[v],   z_t = W h_t + b
    d log p_t / d h_t = W[y_t] - W^T softmax(z_t)

Autograd of the same keeps the logits, their exponentials and the gradient of each: three such matrices. Below 32 bits
a copy in that precision lies beside the one here while it is multiplied.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def head_log_probs(
    head: nn.Linear, inputs: Float[Tensor, "tokens channels"], targets: Int[Tensor, " tokens"]
) -> Float[Tensor, " tokens"]:
    """log softmax(head(inputs))[target] of each token, in nats; float32, or float64 of a float64 model.

    Where `head` is trained, one matrix [tokens, vocabulary] is kept for the backward pass, which uses it up: a second
    one raises RuntimeError. Where it is frozen none is kept, as a token's gradient is known when it is scored.
    """
    return _Head.apply(inputs, head.weight, head.bias, targets)


class _Head(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
        scores = nn.functional.linear(inputs, weight, bias)
        scores = scores if scores.dtype == torch.float64 else scores.float()
        chosen = scores.gather(1, targets[:, None])
        top = scores.amax(1, keepdim=True)
        scores.sub_(top).exp_()
        total = scores.sum(1, keepdim=True)
        ctx.trained = any(ctx.needs_input_grad[1:3])
        if ctx.trained:
            ctx.save_for_backward(inputs, weight, targets, scores, total)
        elif ctx.needs_input_grad[0]:
            scores.div_(-total).scatter_add_(1, targets[:, None], torch.ones_like(total))
            ctx.save_for_backward(scores.to(weight.dtype) @ weight)
        return (chosen - top - total.log()).squeeze(1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        upstream = gradients[0][:, None]
        if not ctx.trained:
            (own,) = ctx.saved_tensors
            return (upstream * own).to(own.dtype), None, None, None
        inputs, weight, targets, scores, total = ctx.saved_tensors
        scores.mul_(-upstream / total).scatter_add_(1, targets[:, None], upstream)
        scores = scores.to(weight.dtype)
        wanted = ctx.needs_input_grad
        return (
            scores @ weight if wanted[0] else None,
            scores.T @ inputs if wanted[1] else None,
            scores.sum(0) if wanted[2] else None,
            None,
        )

"""log pi(response | prompt) of many responses: each prompt read once, and no full [tokens, vocabulary] matrix."""

from collections.abc import Callable, Sequence
from typing import TypeGuard

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from boldly.errors import PromptsError
from boldly.lm.head import head_log_probs
from boldly.lm.model import LanguageModel
from boldly.lm.network import Network, Project, Reading, network, read
from boldly.lm.pack import Group, Layout, Pack, fill, lay_out, room, split

CHUNK_LOGITS = 2**24
"""The most logits of one chunk: 64 MiB in float32."""


def packs(lm: LanguageModel, groups: Sequence[Group], batch_tokens: int) -> list[Pack]:
    """`groups` in packs of at most `batch_tokens` tokens, padding included, each to be scored and differentiated alone.

    A group is never parted; one that is larger than `batch_tokens` is a pack of its own.
    """
    net = network(lm)
    batches = fill([rows_of(net, group) for group in groups], batch_tokens)
    return [Pack(tuple(groups[i] for i in batch), batch) for batch in batches]


def score_pack(lm: LanguageModel, pack: Pack) -> Float[Tensor, " responses"]:
    """log pi of the responses of `pack` in nats, group by group, with a gradient where gradients are enabled.

    Summed over a response's tokens, the end token included; float32, or float64 of a float64 model. The module runs in
    the mode it is in: put it in evaluation mode for a policy without dropout.
    """
    net = network(lm)
    layout = lay_out_pack(lm, net, pack)
    return sums(token_log_probs(net, read(net, layout), layout.targets), layout)


def log_probs(lm: LanguageModel, groups: Sequence[Group], *, batch_tokens: int) -> Float[Tensor, " responses"]:
    """log pi of every response of `groups` in nats, in their order (see `score_pack`)."""
    rows = part(lm, groups)
    if not rows:
        return torch.empty(0, device=lm.device)
    parts = packs(lm, rows, batch_tokens)
    return torch.cat([score_pack(lm, pack) for pack in parts])[order(parts).to(lm.device)]


def part(lm: LanguageModel, groups: Sequence[Group]) -> list[Group]:
    """`groups` as one group for each row, for work that need not keep a group's responses together."""
    net = network(lm)
    return [row for group in groups for row in rows_of(net, group)]


def order(parts: Sequence[Pack]) -> Int[Tensor, " responses"]:
    """The index that puts values, which came pack by pack, in the order of the responses that were packed."""
    arrived = [
        (i, j) for pack in parts for i, g in zip(pack.places, pack.groups, strict=True) for j in range(len(g.responses))
    ]
    return torch.tensor(sorted(range(len(arrived)), key=arrived.__getitem__), dtype=torch.long)


def lay_out_pack(lm: LanguageModel, net: Network, pack: Pack) -> Layout:
    """The tensors of `pack`.

    Raises PromptsError where a response, after its prompt, is longer than the model reads.
    """
    for group in pack.groups:
        longest = len(group.prompt) + max(map(len, group.responses), default=0)
        if longest > lm.context:
            raise PromptsError(
                f"a prompt of {len(group.prompt)} tokens and its response make {longest} tokens; the model reads "
                f"{lm.context}. Leave that response out, or shorten it."
            )
    return lay_out([row for group in pack.groups for row in rows_of(net, group)], pad=lm.pad_token, device=lm.device)


def rows_of(net: Network, group: Group) -> list[Group]:
    """`group` in rows: several responses behind one prompt where the network can share it and where that pays."""
    return split(group, room(len(group.prompt), net.width) if net.shares else 0)


def token_log_probs(net: Network, reading: Reading, targets: Int[Tensor, " tokens"]) -> Float[Tensor, " tokens"]:
    """log softmax(logits)[target] of each token, in nats."""
    return by_chunks(_log_prob, net, reading, targets)


def by_chunks(
    function: Callable[[Project, Tensor, Tensor], Tensor],
    net: Network,
    reading: Reading,
    targets: Int[Tensor, " tokens"],
) -> Tensor:
    """`function(project, inputs, targets)` on chunks of tokens, joined.

    Backward computes a chunk's logits again, unless all fit into one chunk or the output layer is frozen.
    """
    size = max(1, CHUNK_LOGITS // net.vocabulary)
    if len(targets) <= size:
        return function(reading.project, reading.inputs, targets)
    chunks = zip(reading.inputs.split(size), targets.split(size), strict=True)
    if not (torch.is_grad_enabled() and _keeps_logits(reading.project)):
        return torch.cat([function(reading.project, inputs, target) for inputs, target in chunks])
    return torch.cat(
        [checkpoint(function, reading.project, inputs, target, use_reentrant=False) for inputs, target in chunks]
    )


def accurate(logits: Tensor) -> Tensor:
    """`logits` in float32, or in float64 where they are."""
    return logits if logits.dtype == torch.float64 else logits.float()


def sums(values: Float[Tensor, " tokens"], layout: Layout) -> Float[Tensor, " responses"]:
    """The sum of `values` over each response's tokens."""
    return values.new_zeros(len(layout.lengths)).index_add(0, layout.owners, values)


def _keeps_logits(project: Project) -> bool:
    """Whether scores hold logits until the backward pass (see `boldly.lm.head`)."""
    return not (_is_linear(project) and not any(p.requires_grad for p in project.parameters()))


def _is_linear(project: Project) -> TypeGuard[nn.Linear]:
    """An output layer as it is, without an adapter around it."""
    return type(project) is nn.Linear


def _log_prob(project: Project, inputs: Tensor, targets: Tensor) -> Tensor:
    if _is_linear(project):
        return head_log_probs(project, inputs, targets)
    logits = accurate(project(inputs))
    return logits.gather(1, targets[:, None]).squeeze(1) - logits.logsumexp(1)

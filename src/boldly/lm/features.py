"""What a small reward model may see of a response: what it says, and how surprised a frozen model was by it.

Few and plain on purpose. With a hundred labels the last hidden states, which tell a next token from every other,
drown what sets good answers apart; the mean of the tokens' embeddings says which words there are, the surprise
whether they fit.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from boldly.lm.model import LanguageModel
from boldly.lm.network import Project, network, read, still
from boldly.lm.pack import Group, Layout, Pack
from boldly.lm.score import accurate, by_chunks, lay_out_pack, order, packs, part, sums

LARGEST = 4
SURPRISES = 2 * LARGEST + 2
CLIP = 12.0
WORDS = 0.25


class Features(NamedTuple):
    """One row for each response, and its log-probability (nats), which the same pass gives."""

    values: Float[Tensor, "responses features"]
    log_probs: Float[Tensor, " responses"]


@torch.no_grad()
def features(lm: LanguageModel, groups: Sequence[Group], *, batch_tokens: int) -> Features:
    """The features of every response of `groups`, in their order, without dropout and without a gradient.

    Columns: the mean of the input embeddings of the response's tokens; then ten numbers, clipped to [-12, 12]: the four
    largest -log p of a token (0 where there are fewer), the four largest regrets max log p - log p, the mean log p, and
    length / 10. All in nats and tokens; float32.
    """
    with still(lm.module):
        rows = part(lm, groups)
        parts = packs(lm, rows, batch_tokens)
        if not parts:
            words = cast(Tensor, network(lm).causal.get_input_embeddings().weight)
            return Features(words.new_empty(0, words.shape[1] + SURPRISES).float(), words.new_empty(0).float())
        described = [_describe(lm, pack) for pack in parts]
        back = order(parts).to(lm.device)
    return Features(*(torch.cat(column)[back] for column in zip(*described, strict=True)))


def weights(lm: LanguageModel) -> Float[Tensor, " features"]:
    """How much each feature counts once all are standardised: 1 for a surprise, and for all d words together WORDS.

    The words' columns are many and each says little, so at equal weight they would be all that a reward model sees.
    """
    width = _word_width(lm)
    return torch.cat([torch.full((width,), WORDS * (SURPRISES / width) ** 0.5), torch.ones(SURPRISES)])


def _word_width(lm: LanguageModel) -> int:
    weight = network(lm).causal.get_input_embeddings().weight
    assert isinstance(weight, Tensor)
    return weight.shape[1]


def _describe(lm: LanguageModel, pack: Pack) -> Features:
    net = network(lm)
    layout = lay_out_pack(lm, net, pack)
    reading = read(net, layout)
    log_prob, regret = by_chunks(_log_prob_and_regret, net, reading, layout.targets).unbind(1)
    words = net.causal.get_input_embeddings()(layout.targets).float()
    total = sums(log_prob, layout)
    length = layout.lengths.clamp(min=1).float()
    mean = words.new_zeros(len(length), words.shape[1]).index_add(0, layout.owners, words) / length[:, None]
    surprise = torch.cat(
        [
            _largest(-log_prob.float(), layout),
            _largest(regret.float(), layout),
            (total.float() / length)[:, None],
            length[:, None] / 10,
        ],
        dim=1,
    )
    return Features(torch.cat([mean, surprise.clamp(-CLIP, CLIP)], dim=1), total)


def _log_prob_and_regret(project: Project, inputs: Tensor, targets: Tensor) -> Tensor:
    logits = accurate(project(inputs))
    chosen = logits.gather(1, targets[:, None]).squeeze(1)
    return torch.stack([chosen - logits.logsumexp(1), logits.amax(1) - chosen], dim=1)


def _largest(values: Float[Tensor, " tokens"], layout: Layout) -> Float[Tensor, "responses largest"]:
    """The largest values of each response, largest first; 0, the least a surprise can be, where it has fewer tokens."""
    ends: Int[Tensor, " responses"] = layout.lengths.cumsum(0)
    column = torch.arange(len(values), device=values.device) - (ends - layout.lengths)[layout.owners]
    table = values.new_zeros(len(ends), max(LARGEST, int(layout.lengths.max())))
    table[layout.owners, column] = values
    return table.topk(LARGEST, dim=1).values

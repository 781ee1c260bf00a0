"""How far an engine's log-probabilities are from ours, and which of the two is kept."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.lm.model import LanguageModel
from boldly.lm.network import Project, network, read, still
from boldly.lm.pack import Group, Tokens
from boldly.lm.sampling import Drawn, Voice
from boldly.lm.score import accurate, by_chunks, lay_out_pack, log_probs, order, packs, part, sums

log = logging.getLogger(__name__)

BOUND = 0.05
"""Nats a token: a mean mismatch beyond it is warned of."""

ROUNDING = 1e-4
"""Nats a token: a mean mismatch up to it is what float32 sums in another order give."""

CHECKED = 64
"""Responses of a voice that are scored again in every draw; of more than that, every eighth, but no fewer."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """|engine's log-probability - ours| of the responses that were scored again, in nats a token.

        mean = sum_y |log q(y) - log p(y)| / sum_y |y|,   largest = max_y |log q(y) - log p(y)| / |y|

    Both are of a whole response's sum, as that is what a policy is learned from, at the temperature of the draw.
    """

    mean: float
    largest: float
    responses: int


def settled(
    voice: Voice, prompts: Sequence[Tokens], drawn: list[list[Drawn]], *, temperature: float, batch_tokens: int
) -> tuple[list[list[Drawn]], Mismatch | None]:
    """What an engine drew for a voice, with the log-probabilities that are to be kept; None where nothing was drawn.

    `Drawn.sampled_log_prob` stays the engine's: it belongs to the distribution that the response came from.
    `Drawn.log_prob` is what the loop takes for the score under a frozen policy and subtracts from our scores of other
    policies. Two ways of rounding would stay in that difference as a reward nobody gave, so it is ours: of every
    response where the mismatch is beyond `ROUNDING` or the temperature is not 1. Within `ROUNDING` it is ours for those
    that were checked and the engine's for the rest, which spares scoring them.
    """
    places = [(i, j) for i, row in enumerate(drawn) for j in range(len(row))]
    if not places:
        return drawn, None
    score = partial(_ours, voice, prompts, drawn, temperature=temperature, batch_tokens=batch_tokens)
    checked = places[:: max(1, min(8, len(places) // CHECKED))]
    ours = score(checked)
    found = _compared([drawn[i][j] for i, j in checked], ours[1].tolist())
    if len(checked) < len(places) and (temperature != 1.0 or found.mean > ROUNDING):
        checked, ours = places, score(places)
        found = _compared([drawn[i][j] for i, j in checked], ours[1].tolist())
    kept = [list(row) for row in drawn]
    for (i, j), value in zip(checked, ours[0].tolist(), strict=True):
        kept[i][j] = replace(kept[i][j], log_prob=value)
    return kept, found


def tell(found: Mismatch, *, engine: str, bound: float = BOUND) -> None:
    """Log a mismatch: as a warning where its mean is beyond `bound` (nats a token)."""
    said = (
        f"{engine} and boldly differ by {found.mean:.2g} nats a token in the mean and {found.largest:.2g} at most, "
        f"over {found.responses} responses"
    )
    if found.mean <= bound:
        log.info(said)
        return
    log.warning(
        "%s, which is more than %.2g: what it draws is not from this policy. Write `generation: {engine: auto}`, or "
        "a dtype that both compute in alike (`dtype: float32`).",
        said,
        bound,
    )


def _compared(drawn: Sequence[Drawn], ours: Sequence[float]) -> Mismatch:
    lengths = [len(response.tokens) for response in drawn]
    off = [abs(response.sampled_log_prob - own) for response, own in zip(drawn, ours, strict=True)]
    largest = max(value / length for value, length in zip(off, lengths, strict=True))
    return Mismatch(sum(off) / sum(lengths), largest, len(drawn))


@torch.no_grad()
def _ours(
    voice: Voice,
    prompts: Sequence[Tokens],
    drawn: Sequence[Sequence[Drawn]],
    places: Sequence[tuple[int, int]],
    *,
    temperature: float,
    batch_tokens: int,
) -> Float[Tensor, "2 responses"]:
    """Our log-probability of the responses at `places`, at temperature 1 and at `temperature`, in nats."""
    by_prompt: dict[int, list[int]] = {}
    for i, j in places:
        by_prompt.setdefault(i, []).append(j)
    groups = [Group(prompts[i], tuple(drawn[i][j].tokens for j in row)) for i, row in by_prompt.items()]
    with voice.worn(), still(voice.lm.module):
        plain = log_probs(voice.lm, groups, batch_tokens=batch_tokens)
        warm = plain if temperature == 1.0 else _warm(voice.lm, groups, temperature, batch_tokens)
    return torch.stack([plain, warm]).double().cpu()


def _warm(
    lm: LanguageModel, groups: Sequence[Group], temperature: float, batch_tokens: int
) -> Float[Tensor, " responses"]:
    """log softmax(logits / temperature) of every response of `groups`, summed over its tokens."""
    net, parts = network(lm), packs(lm, part(lm, groups), batch_tokens)
    layouts = [lay_out_pack(lm, net, pack) for pack in parts]
    log_prob: Callable[[Project, Tensor, Tensor], Tensor] = partial(_at, temperature)
    found = [sums(by_chunks(log_prob, net, read(net, layout), layout.targets), layout) for layout in layouts]
    return torch.cat(found)[order(parts).to(lm.device)]


def _at(temperature: float, project: Project, inputs: Tensor, targets: Tensor) -> Tensor:
    logits = accurate(project(inputs)) / temperature
    return logits.gather(1, targets[:, None]).squeeze(1) - logits.logsumexp(1)

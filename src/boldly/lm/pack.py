"""How prompts and responses are laid out in rows: a prompt once, then responses that do not see one another.

A row is `[prompt | response | response | ...]`; position ids restart after the prompt for each response, so its tokens
stand where they stood when it was sampled. Rows are padded on the right.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from jaxtyping import Bool, Int
from torch import Tensor

Tokens = Sequence[int]


@dataclass(frozen=True, slots=True)
class Group:
    """Responses to one prompt, as tokens."""

    prompt: Tokens
    responses: tuple[Tokens, ...]


@dataclass(frozen=True, slots=True)
class Pack:
    """Groups that go through the model at once; `places` are their places in the sequence that was packed."""

    groups: tuple[Group, ...]
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A pack as tensors.

    `segments` is 0 on a prompt, j on the row's j-th response and -1 on padding. For every response token, in the order
    of the responses: `targets` is the token, `predictors` the place (in the flattened rows) whose output predicts it,
    `owners` the number of its response. `joined` says that some row holds several responses.
    """

    tokens: Int[Tensor, "rows length"]
    positions: Int[Tensor, "rows length"]
    segments: Int[Tensor, "rows length"]
    targets: Int[Tensor, " tokens"]
    predictors: Int[Tensor, " tokens"]
    owners: Int[Tensor, " tokens"]
    lengths: Int[Tensor, " responses"]
    joined: bool

    @property
    def visible(self) -> Bool[Tensor, "rows length length"]:
        """Which token (third axis) each token (second axis) sees: the prompt, and its own response so far."""
        query, key = self.segments[:, :, None], self.segments[:, None, :]
        index = torch.arange(self.tokens.shape[1], device=self.tokens.device)
        return ((key == query) | (key == 0)) & (index[None, :] <= index[:, None])


def group(prompts: Iterable[Tokens], responses: Iterable[Tokens]) -> list[Group]:
    """One group for each run of equal prompts; flattened, the groups' responses are `responses` in their order."""
    pairs = zip((tuple(prompt) for prompt in prompts), responses, strict=True)
    return [
        Group(prompt, tuple(response for _, response in run))
        for prompt, run in groupby(pairs, key=lambda pair: pair[0])
    ]


def room(prompt: int, hidden: int) -> int:
    """The most response tokens that are worth joining behind a prompt of `prompt` tokens.

    k responses of r tokens in a row cost c (p + k r) + a (p + k r)^2: products with the weights, and attention, whose
    mask hides most of what joining adds to it. The cost for each response is least at k r = sqrt(p (c/a + p)); a block
    of width d has c/a = 6 d (24 d^2 against 4 d multiplications).
    """
    return math.isqrt(prompt * (6 * hidden + prompt))


def split(group: Group, room: int) -> list[Group]:
    """`group` in rows of at most `room` response tokens (or one response), in order."""
    rows: list[list[Tokens]] = []
    used = room + 1
    for response in group.responses:
        used += len(response)
        if used > room:
            rows.append([])
            used = len(response)
        rows[-1].append(response)
    return [Group(group.prompt, tuple(row)) for row in rows]


def fill(rows: Sequence[Sequence[Group]], batch_tokens: int) -> list[tuple[int, ...]]:
    """Which entries of `rows` go together, so that a batch holds at most `batch_tokens`, padding included.

    An entry is the rows of one thing that must not be parted; alone it may be larger. Entries of like length go
    together, shortest first, ties in their order.
    """
    width = [max((_length(row) for row in entry), default=0) for entry in rows]
    batches: list[list[int]] = []
    count = 0
    for i in sorted(range(len(rows)), key=width.__getitem__):
        count += len(rows[i])
        if not batches or count * width[i] > batch_tokens:
            batches.append([])
            count = len(rows[i])
        batches[-1].append(i)
    return [tuple(batch) for batch in batches]


def lay_out(rows: Sequence[Group], *, pad: int, device: torch.device) -> Layout:
    """The tensors of `rows`, each a row."""
    length = max(_length(row) for row in rows)
    tokens, positions, segments = [], [], []
    targets, predictors, lengths = [], [], []
    for r, row in enumerate(rows):
        prompt = len(row.prompt)
        ids, place, segment = list(row.prompt), list(range(prompt)), [0] * prompt
        for j, response in enumerate(row.responses, start=1):
            start = r * length + len(ids)
            targets.extend(response)
            predictors.extend([r * length + prompt - 1, *range(start, start + len(response) - 1)][: len(response)])
            lengths.append(len(response))
            ids.extend(response)
            place.extend(range(prompt, prompt + len(response)))
            segment.extend([j] * len(response))
        rest = length - len(ids)
        tokens.append(ids + [pad] * rest)
        positions.append(place + [0] * rest)
        segments.append(segment + [-1] * rest)

    def tensor(values: list[int] | list[list[int]]) -> Tensor:
        return torch.tensor(values, dtype=torch.long, device=device)

    counts = tensor(lengths)
    return Layout(
        tokens=tensor(tokens),
        positions=tensor(positions),
        segments=tensor(segments),
        targets=tensor(targets),
        predictors=tensor(predictors),
        owners=torch.arange(len(lengths), device=device).repeat_interleave(counts),
        lengths=counts,
        joined=any(len(row.responses) > 1 for row in rows),
    )


def _length(row: Group) -> int:
    return len(row.prompt) + sum(map(len, row.responses))

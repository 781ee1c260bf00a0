# pyright: standard
# transformers and torch leave much unannotated.
"""The scores of many token rows: like lengths together, and the same whatever the batches."""

import logging
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.oracles.reward_model.load import Loaded
from boldly.oracles.verdicts import raised

log = logging.getLogger(__name__)

Tokens = tuple[int, ...]


def scores(loaded: Loaded, rows: Sequence[Tokens], *, batch_tokens: int) -> list[float | str]:
    """The reward model's output for each row, or why there is none.

    Rows of like length are scored together, at most `batch_tokens` tokens with padding. A batch that doesn't fit into
    memory, or that the model raises at, is halved until the row that it is about stands alone.
    """
    found: list[float | str] = [""] * len(rows)
    waiting = _batches([len(row) for row in rows], batch_tokens)
    while waiting:
        batch = waiting.pop()
        try:
            values: Sequence[float | str] = _scored(loaded, [rows[i] for i in batch]).tolist()
        except Exception as error:
            if len(batch) > 1:
                log.warning("%d texts at once: %s; again in halves", len(batch), raised(error).reason)
                waiting += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
                continue
            values = [raised(error).reason]
        for i, value in zip(batch, values, strict=True):
            found[i] = value
    return found


def _batches(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Which rows are scored together: shortest first, ties in their order; one that is longer than that is alone."""
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if not batches or (len(batches[-1]) + 1) * lengths[i] > batch_tokens:
            batches.append([])
        batches[-1].append(i)
    return batches


@torch.inference_mode()
def _scored(loaded: Loaded, rows: Sequence[Tokens]) -> Float[Tensor, " rows"]:
    """One pass, padded on the right, so that positions are those of a row alone.

    Decoders read their score at the last token that is not `config.pad_token_id`. Where a model has none, that is the
    last token, and so padding is a token that none of these rows holds; where they hold every one, it raises.
    """
    text = loaded.module.config.get_text_config()
    pad = loaded.pad
    if pad is None:
        present = set().union(*rows)
        pad = text.pad_token_id = next((i for i in range(loaded.rows) if i not in present), None)
    length = max(map(len, rows))
    ids = [[*row, *[pad or 0] * (length - len(row))] for row in rows]
    mask = [[1] * len(row) + [0] * (length - len(row)) for row in rows]
    output = loaded.module(
        input_ids=torch.tensor(ids, device=loaded.device), attention_mask=torch.tensor(mask, device=loaded.device)
    )
    return output.logits.float().reshape(len(rows)).cpu()

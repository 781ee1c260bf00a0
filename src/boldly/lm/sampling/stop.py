"""Strings that end a response: where it is over, and what of its text stays."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from boldly.errors import ConfigError
from boldly.lm.encode import decode
from boldly.lm.model import LanguageModel
from boldly.lm.network import network

BROKEN = "\ufffd"
"""What stands in a text for bytes that are no whole character."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop strings as a model writes them: a response ends with the first token that completes one in its text.

    `closing` says which tokens can complete one; nothing is decoded for the others.
    """

    lm: LanguageModel
    strings: tuple[str, ...]
    closing: Bool[Tensor, " vocabulary"]

    def ends(self, tokens: Sequence[int]) -> bool:
        """Whether the last of `tokens` completes a stop string. Assumes that none before it does."""
        return bool(self.closing[tokens[-1]]) and self._said(tokens)

    def until(self, tokens: tuple[int, ...]) -> tuple[int, ...]:
        """`tokens` up to and with the first that completes a stop string; all of them where none does."""
        places = self.closing[list(tokens)].nonzero().flatten().tolist()
        return next((tokens[: place + 1] for place in places if self._said(tokens[: place + 1])), tokens)

    def completed(
        self, tokens: Int[Tensor, "_ steps"], lengths: Int[Tensor, " _"], rows: Int[Tensor, " rows"]
    ) -> Bool[Tensor, " rows"]:
        """Whose newest token completes a stop string, of those `rows` of `tokens`."""
        found = self.closing[tokens[rows, lengths[rows] - 1]]
        for i in found.nonzero().flatten().tolist():
            found[i] = self._said(tokens[rows[i], : lengths[rows[i]]].tolist())
        return found

    def _said(self, tokens: Sequence[int]) -> bool:
        text = decode(self.lm, tokens)
        return any(string in text for string in self.strings)


def stop_of(lm: LanguageModel, strings: Sequence[str]) -> Stop | None:
    """The stop strings of a model's responses; None where there are none.

    Raises ConfigError for one that has a special token in it: those are in no text.
    """
    if not strings:
        return None
    closing = _closing(lm.tokenizer, tuple(strings), network(lm).vocabulary)
    return Stop(lm, tuple(strings), closing.to(lm.device))


def before(text: str, strings: Sequence[str]) -> str:
    """`text` up to the first of `strings` in it."""
    return text[: min((place for string in strings if (place := text.find(string)) >= 0), default=None)]


@lru_cache(maxsize=8)
def _closing(tokenizer: PreTrainedTokenizerBase, strings: tuple[str, ...], size: int) -> Bool[Tensor, " vocabulary"]:
    """The tokens whose text ends, up to some place in it, a stop string, in whole or in part.

    Each is decoded behind itself, as some decoders take the space from a first token. Of one that is no text alone,
    such as a byte or a part of a character, no more is asked than the last character.
    """
    for token in (token.content for token in tokenizer.added_tokens_decoder.values() if token.special):
        if held := next((string for string in strings if token in string), None):
            raise ConfigError(
                f"generation.stop has {held!r} with the special token {token} in it, which is in no response's text. "
                f'Remove it, and let the token end responses by `"eos_token_id"` in generation_config.json.'
            )
    ids = sorted(token for token in tokenizer.get_vocab().values() if token < size)
    twice = _texts(tokenizer, [[token, token] for token in ids])
    likely = [i for i, text in enumerate(twice) if any(_ends_in(text, string[-1]) for string in strings)]
    once = _texts(tokenizer, [[ids[i]] for i in likely])
    closing = torch.zeros(size, dtype=torch.bool)
    for i, text in zip(likely, once, strict=True):
        alone = BROKEN not in twice[i] and twice[i].startswith(text)
        closing[ids[i]] = not alone or any(_may_end(twice[i][len(text) :], string) for string in strings)
    return closing


def _texts(tokenizer: PreTrainedTokenizerBase, rows: list[list[int]]) -> list[str]:
    if not rows:  # of which `batch_decode` makes one empty text
        return []
    return cast(list[str], tokenizer.batch_decode(rows, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _ends_in(text: str, last: str) -> bool:
    return last in text or (not last.isascii() and BROKEN in text)


def _may_end(text: str, string: str) -> bool:
    heads = (text[:end] for end in range(1, len(text) + 1))
    return any(head.endswith(string) or string.endswith(head) for head in heads)

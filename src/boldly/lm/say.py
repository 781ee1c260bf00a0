"""How a language model would begin an answer: the probability of words that it is offered."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.errors import OracleError
from boldly.lm.model import LanguageModel
from boldly.lm.pack import Group, Tokens
from boldly.lm.score import log_probs


def beginnings(
    lm: LanguageModel, questions: Sequence[Tokens], answers: Sequence[Sequence[str]], *, batch_tokens: int
) -> Float[Tensor, "questions answers"]:
    """log P(the response begins with a spelling of the answer), in nats; `answers` holds the spellings of each.

    Every spelling is read as the tokenizer writes it alone; those that begin with another one's tokens are part of
    that one, so that nothing is counted twice. Raises `OracleError` for an answer without any token of its own.
    """
    spelled = [_spellings(lm, words) for words in answers]
    offered = tuple(tokens for spellings in spelled for tokens in spellings)
    if not questions:
        return torch.empty(0, len(answers), device=lm.device)
    found = log_probs(lm, [Group(tokens, offered) for tokens in questions], batch_tokens=batch_tokens)
    parts = found.view(len(questions), len(offered)).split([len(spellings) for spellings in spelled], dim=1)
    return torch.stack([part.logsumexp(1) for part in parts], dim=1)


def _spellings(lm: LanguageModel, words: Sequence[str]) -> list[tuple[int, ...]]:
    written = [tuple(lm.tokenizer(word, add_special_tokens=False)["input_ids"]) for word in words]
    known = {tokens for tokens in written if tokens and lm.tokenizer.unk_token_id not in tokens}
    if not known:
        raise OracleError(
            f"the model in {lm.directory} has no tokens for {words[0]!r}, so it can't say it: write "
            f"`oracle: {{name: self, by: implicit}}`, which asks it nothing."
        )
    return sorted(tokens for tokens in known if not any(tokens[:n] in known for n in range(1, len(tokens))))

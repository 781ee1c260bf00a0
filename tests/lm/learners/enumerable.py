"""A language model small enough to enumerate: six tokens, answers of at most two, so 31 of them to each prompt."""

import itertools

import torch

from boldly.learner import Evidence
from boldly.ledger import MemoryLedger
from boldly.ledger.scores import Scores
from boldly.lm.encode import encode
from boldly.lm.model import Generation
from boldly.lm.policy import LMPolicy
from boldly.types import Comparison, Prompt, Query, Response
from tests.support.given import Given

VOCABULARY, EOS = 6, 2
PROMPTS = (Prompt("<user>"), Prompt("<assistant><user>"))
"""Two and three tokens, the one that begins every text included, all of them below the vocabulary."""

OTHERS = [token for token in range(VOCABULARY) if token != EOS]
ANSWERS = [(EOS,), *((token, EOS) for token in OTHERS), *itertools.product(OTHERS, OTHERS)]
"""Every answer of at most two tokens: ended, or cut at the limit."""


def policy(lm, name="iterate-0"):
    return LMPolicy(name, lm, Generation(max_tokens=2))


def response(tokens, origin="data"):
    """An answer whose log-probability nobody knows yet."""
    nan = float("nan")
    return Response(f"{tokens}", tuple(tokens), origin, nan, nan, tokens[-1] == EOS)


def comparison(prompt, a, b, label, *, sequence=0, round=0, explore=None, weight=1.0):
    a, b, explore = (tokens and response(tokens) for tokens in (a, b, explore))
    return Comparison(Query(prompt, a, b, round, sequence, explore), label, sequence, weight)


def drawn(n, seed, rounds=1):
    """`n` comparisons over prompts, answers, labels (0, 1 and between) and weights, drawn at random."""
    generator = torch.Generator().manual_seed(seed)

    def one_of(things):
        return things[int(torch.randint(len(things), (), generator=generator))]

    return tuple(
        comparison(
            one_of(PROMPTS),
            one_of(ANSWERS),
            one_of(ANSWERS),
            one_of([0.0, 1.0, 0.5, 0.3]),
            sequence=i,
            round=i * rounds // n,
            explore=one_of(ANSWERS),
            weight=one_of([1.0, 0.5, 2.0]),
        )
        for i in range(n)
    )


def evidence(data, *, round=0, spent=0.0, ledger=None, **rest):
    first = sum(c.query.round < round for c in data)
    return Evidence(round, Given(tuple(data)), first, spent, Scores(ledger or MemoryLedger()), **rest)


def moved(live, scale=0.05, seed=3):
    """`live` after its trained parameters were moved at random, so that it is no longer its reference."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in live.lm.module.parameters():
            if p.requires_grad:
                p.add_(scale * torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p))
    return live


def slowly(lm, module, prompt, tokens):
    """log pi(tokens | prompt) by one plain pass of `module` over this answer alone."""
    asked = encode(lm, prompt)
    logits = module(torch.tensor([[*asked, *tokens]])).logits[0]
    log_p = torch.log_softmax(logits, -1)
    return sum(log_p[len(asked) - 1 + i, token] for i, token in enumerate(tokens))


def weights(lm):
    return {name: p.detach().clone() for name, p in lm.module.named_parameters()}


def same_bits(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)

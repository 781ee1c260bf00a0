"""The probability of words as the beginning of an answer, against the full softmax."""

import math
from itertools import pairwise

import pytest
import torch

from boldly.errors import OracleError, PromptsError
from boldly.lm.encode import encode
from boldly.lm.model import Generation
from boldly.lm.policy import LMPolicy
from boldly.oracles.itself import NO, YES, Says
from boldly.types import Message, Prompt

QUESTIONS = [Prompt("is it ?"), Prompt("a longer question"), Prompt((Message("user", "x"), Message("user", "y")))]


def brute(lm, question, words):
    """P(beginning) of each word, one token at a time, from the logits of the whole vocabulary."""
    total = 0.0
    for tokens in {tuple(lm.tokenizer(word, add_special_tokens=False)["input_ids"]) for word in words}:
        ids, log_prob = list(encode(lm, question)), 0.0
        for token in tokens:
            with torch.no_grad():
                logits = lm.module(torch.tensor([ids])).logits[0, -1].double()
            log_prob += logits.log_softmax(0)[token].item()
            ids.append(token)
        total += math.exp(log_prob)
    return math.log(total)


@pytest.mark.parametrize("lora", [None, 0.3])
@pytest.mark.parametrize("chat", [True, False])
def test_it_is_the_sum_over_spellings(language_model, any_kind, chat, lora):
    lm = language_model(any_kind, chat=chat, lora=lora)
    policy = LMPolicy("live", lm, Generation(batch_tokens=64))
    questions = QUESTIONS if chat else QUESTIONS[:2]
    said = policy.say(questions, (YES, NO))
    assert said.shape == (len(questions), 2)
    expected = [[brute(lm, question, words) for words in (YES, NO)] for question in questions]
    torch.testing.assert_close(said.double(), torch.tensor(expected).double(), atol=1e-4, rtol=1e-4)


def test_a_spelling_that_goes_on_from_another_is_counted_once(language_model):
    policy = LMPolicy("live", language_model(), Generation())
    once, twice = policy.say(QUESTIONS[:1], (("y",), ("y", "yes", "y", "yes!")))[0].tolist()
    assert twice == pytest.approx(once, abs=1e-6)


def test_words_of_one_token_are_the_softmax(language_model):
    """The logarithm of the softmax itself, for every token that can be written alone."""
    lm = language_model()
    policy = LMPolicy("live", lm, Generation())
    tokens = range(len(lm.tokenizer))
    spelled = {token: lm.tokenizer.decode([token]) for token in tokens}
    writable = [t for t in tokens if lm.tokenizer(spelled[t], add_special_tokens=False)["input_ids"] == [t]]
    (said,) = policy.say(QUESTIONS[:1], [(spelled[token],) for token in writable])
    with torch.no_grad():
        logits = lm.module(torch.tensor([encode(lm, QUESTIONS[0])])).logits[0, -1]
    assert len(writable) > 100
    torch.testing.assert_close(said, logits.log_softmax(0)[writable], atol=1e-5, rtol=1e-5)


def test_a_frozen_policy_says_what_it_said(language_model):
    live = LMPolicy("live", language_model(lora=0.3), Generation())
    frozen, before = live.freeze("frozen"), live.say(QUESTIONS[:2], (YES, NO))
    with torch.no_grad():
        for parameter in live.lm.module.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1)
    torch.testing.assert_close(frozen.say(QUESTIONS[:2], (YES, NO)), before, rtol=0, atol=0)
    assert not torch.equal(live.say(QUESTIONS[:2], (YES, NO)), before)
    assert isinstance(live, Says)


def test_no_questions(language_model):
    assert LMPolicy("live", language_model(), Generation()).say([], (YES, NO)).shape == (0, 2)


def test_a_question_that_does_not_fit(language_model):
    with pytest.raises(PromptsError):
        LMPolicy("live", language_model(), Generation()).say([Prompt("x" * 200)], (YES, NO))


def test_a_word_without_tokens():
    """The bundled model knows some hundred words, and neither yes nor no is one."""
    from boldly.data import base_directory
    from boldly.lm.load import load

    lm = load(base_directory("default"), device="cpu")
    with pytest.raises(OracleError, match=r"no tokens for 'yes'.*by: implicit"):
        LMPolicy("live", lm, Generation()).say([Prompt("emma has 9 apples . how many now ?")], (YES, NO))


def test_order_does_not_matter(language_model):
    policy = LMPolicy("live", language_model(chat=True), Generation())
    forward, back = policy.say(QUESTIONS, (YES, NO)), policy.say(QUESTIONS[::-1], (NO, YES))
    torch.testing.assert_close(forward, back.flip(0, 1), atol=1e-5, rtol=1e-5)
    assert all(not torch.allclose(one, other) for one, other in pairwise(forward))

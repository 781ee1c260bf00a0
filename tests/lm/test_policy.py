from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from boldly.lm.encode import decode, encode
from boldly.lm.model import Generation
from boldly.lm.network import network
from boldly.lm.policy import LMPolicy
from boldly.types import Message, Prompt

EOS = 2
PROMPTS = [
    Prompt("ab"),
    Prompt("a longer prompt"),
    Prompt((Message("user", "x"), Message("assistant", "y"), Message("user", "z"))),
]
SETTINGS = [None, 0.0, 0.3]
"""Full weights, a new adapter, an adapter that has learned."""


def policy(lm, **generation):
    return LMPolicy("live", lm, Generation(**{"max_tokens": 8} | generation))


def pairs(drawn):
    prompts = [prompt for prompt, row in zip(PROMPTS, drawn, strict=True) for _ in row]
    return prompts, [response for row in drawn for response in row]


def learn(live):
    """A few steps that change every trained parameter."""
    parameters = [p for p in live.lm.module.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(parameters, lr=0.5)
    with live.training():
        for _ in range(3):
            optimiser.zero_grad()
            live.lm.module(torch.tensor([[1, 5, 6, 7, 8]])).logits.log_softmax(-1)[..., 9].mean().neg().backward()
            optimiser.step()


@pytest.mark.parametrize("lora", SETTINGS)
def test_a_response_is_what_was_sampled(language_model, any_kind, lora):
    """Tokens, text, origin, and the log-probability that scoring the very tokens gives - not those of the text."""
    live = policy(language_model(any_kind, chat=True, lora=lora), temperature=0.8)
    prompts, responses = pairs(live.sample(PROMPTS, 5, seed=1))
    for response in responses:
        assert response.origin == "live"
        assert response.text == decode(live.lm, response.tokens)
        assert response.ended == (response.tokens[-1] == EOS)
        assert response.sampled_log_prob != response.log_prob
    scored = live.log_probs(prompts, responses)
    torch.testing.assert_close(scored, torch.tensor([r.log_prob for r in responses]), atol=1e-4, rtol=1e-4)
    retokenised = [live.lm.tokenizer(r.text, add_special_tokens=False)["input_ids"] for r in responses]
    assert any(tuple(ids) != r.tokens[: len(ids)] for ids, r in zip(retokenised, responses, strict=True))


def test_equal_seeds_give_equal_responses(language_model):
    live = policy(language_model(chat=True))
    assert live.sample(PROMPTS, 3, seed=5) == live.sample(PROMPTS, 3, seed=5)
    assert live.sample(PROMPTS, 3, seed=5) != live.sample(PROMPTS, 3, seed=6)


def test_end_tokens_of_a_chat_prompt_end_no_response(language_model):
    live = policy(language_model(chat=True))
    assert all(EOS in encode(live.lm, prompt) for prompt in PROMPTS)
    _, responses = pairs(live.sample(PROMPTS, 20, seed=0))
    assert any(not response.ended for response in responses)
    assert all(len(response.tokens) == 8 for response in responses if not response.ended)


@pytest.mark.parametrize("lora", SETTINGS)
def test_a_frozen_policy_never_changes(language_model, kind, lora):
    """TRL's fault: the reference of a LoRA run sampled from the live adapter. Bit for bit, sampling and scoring."""
    live = policy(language_model(kind, chat=True, lora=lora))
    before = live.sample(PROMPTS, 4, seed=1)
    prompts, responses = pairs(before)
    reference = live.freeze("reference")
    scored, described = reference.log_probs(prompts, responses), reference.features(prompts, responses)
    drawn = reference.sample(PROMPTS, 4, seed=1)
    torch.testing.assert_close(scored, live.log_probs(prompts, responses))
    learn(live)
    assert (live.log_probs(prompts, responses) - scored).abs().max() > 0.01
    assert live.sample(PROMPTS, 4, seed=1) != before
    assert reference.sample(PROMPTS, 4, seed=1) == drawn
    assert torch.equal(reference.log_probs(prompts, responses), scored)
    assert torch.equal(reference.features(prompts, responses), described)
    assert {response.origin for row in drawn for response in row} == {"reference"}


def test_the_reference_of_a_new_adapter_is_the_base_model(language_model):
    live = policy(language_model(chat=True, lora=0.0))
    reference = live.freeze("reference")
    learn(live)
    base = policy(language_model(chat=True))
    assert [r.tokens for r in pairs(reference.sample(PROMPTS, 4, seed=1))[1]] == [
        r.tokens for r in pairs(base.sample(PROMPTS, 4, seed=1))[1]
    ]
    prompts, responses = pairs(base.sample(PROMPTS, 4, seed=1))
    assert torch.equal(reference.log_probs(prompts, responses), base.log_probs(prompts, responses))
    assert (live.log_probs(prompts, responses) - base.log_probs(prompts, responses)).abs().max() > 0.01


def test_iterates_of_an_adapter_share_one_base(language_model):
    live = policy(language_model(chat=True, lora=0.3))
    one = live.freeze("one")
    learn(live)
    two = live.freeze("two")
    assert one.lm.module is two.lm.module is live.lm.module
    prompts, responses = pairs(live.sample(PROMPTS, 2, seed=0))
    a, b = one.log_probs(prompts, responses), two.log_probs(prompts, responses)
    assert not torch.equal(a, b)
    assert torch.equal(one.log_probs(prompts, responses), a)
    assert torch.equal(live.log_probs(prompts, responses), b)


def test_a_frozen_module_is_its_own_and_needs_no_gradient(language_model):
    live = policy(language_model("llama-tied"))
    frozen = live.freeze("frozen")
    theirs = {p.data_ptr() for p in frozen.lm.module.parameters()}
    assert not theirs & {p.data_ptr() for p in live.lm.module.parameters()}
    assert not any(p.requires_grad for p in frozen.lm.module.parameters())
    assert all(p.requires_grad for p in live.lm.module.parameters())
    assert frozen.lm.module.lm_head.weight is frozen.lm.module.model.embed_tokens.weight


def test_freezing_what_is_frozen_only_names_it(language_model):
    for lora in SETTINGS:
        frozen = policy(language_model(lora=lora)).freeze("one")
        again = frozen.freeze("two")
        assert again.name == "two"
        assert again.lm.module is frozen.lm.module
        assert again.adapter is frozen.adapter


@pytest.mark.parametrize("lora", SETTINGS)
@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_the_average_of_two_policies(language_model, lora, weight):
    live = policy(language_model("llama-tied", chat=True, lora=lora, dtype=torch.float64))
    first = live.freeze("first")
    learn(live)
    second = live.freeze("second")
    mean = first.average(second, weight, "mean")
    assert mean.name == "mean"
    assert mean.frozen
    by_hand = deepcopy(live.lm.module)
    for name, parameter in by_hand.named_parameters():
        if parameter.requires_grad:
            own, other = (_parameter(p, name) for p in (first, second))
            parameter.data = (1 - weight) * own + weight * other
    prompts, responses = pairs(live.sample(PROMPTS, 3, seed=0))
    expected = LMPolicy("by hand", replace(live.lm, module=by_hand), live.generation).log_probs(prompts, responses)
    torch.testing.assert_close(mean.log_probs(prompts, responses), expected, atol=1e-8, rtol=1e-8)


def _parameter(frozen, name):
    return frozen.adapter.weights[name] if frozen.adapter else dict(frozen.lm.module.named_parameters())[name].data


def test_scores_keep_the_order_and_a_repeated_prompt_is_read_once(language_model):
    live = policy(language_model(chat=True, dtype=torch.float64))
    prompts, responses = pairs(live.sample(PROMPTS, 3, seed=0))
    alone = torch.cat([live.log_probs([p], [r]) for p, r in zip(prompts, responses, strict=True)])
    torch.testing.assert_close(live.log_probs(prompts, responses), alone, atol=1e-10, rtol=0)
    mixed = [4, 0, 8, 1, 1, 7]
    scored = live.log_probs([prompts[i] for i in mixed], [responses[i] for i in mixed])
    torch.testing.assert_close(scored, alone[mixed], atol=1e-10, rtol=0)

    positions = []
    network(live.lm).body.register_forward_pre_hook(
        lambda _, args, kwargs: positions.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    live.log_probs(prompts[:3], responses[:3])
    assert positions == [len(encode(live.lm, PROMPTS[0])) + sum(r.length for r in responses[:3])]


def test_results_carry_no_gradient_and_no_dropout(language_model):
    live = policy(language_model("gpt2", chat=True, dropout=0.5))
    prompts, responses = pairs(live.sample(PROMPTS, 2, seed=0))
    quiet = live.log_probs(prompts, responses)
    with live.training():
        assert live.lm.module.training
        again, described = live.log_probs(prompts, responses), live.describe(prompts, responses)
    assert not live.lm.module.training
    assert torch.equal(again, quiet)
    assert not again.requires_grad
    assert not described.values.requires_grad
    torch.testing.assert_close(described.log_probs, quiet)


def test_a_frozen_policy_does_not_train(language_model):
    frozen = policy(language_model()).freeze("frozen")
    with pytest.raises(AssertionError, match="never changes"), frozen.training():
        pass


def test_renaming_keeps_the_weights(language_model):
    live = policy(language_model())
    assert live.renamed("next").name == "next"
    assert live.renamed("next").lm is live.lm
    assert not live.renamed("next").frozen

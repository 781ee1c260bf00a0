import itertools
import math
from collections import Counter
from dataclasses import replace

import pytest
import torch
from scipy.stats import chisquare

from boldly.errors import ConfigError, ModelError
from boldly.lm.model import Generation
from boldly.lm.network import network
from boldly.lm.pack import Group
from boldly.lm.sampling import Voice, sample
from boldly.lm.score import log_probs

EOS = 2
PROMPTS = [(1, 3, 50, EOS, 4), (1, 40), (1, 3, 60, 61, 62, 63, EOS, 3, 70, EOS, 4)]
"""Of several lengths, so that they are padded when read together, and with end tokens in them."""


def drawn(lm, prompts=PROMPTS, n=4, *, seed=0, **generation):
    voice = Voice(lm, n, torch.Generator().manual_seed(seed))
    (rows,) = sample([voice], prompts, generation=Generation(**{"max_tokens": 9, "engine": "plain"} | generation))
    return rows


def tokens(responses):
    return [[response.tokens for response in row] for row in responses]


def flat(rows):
    return list(itertools.chain.from_iterable(rows))


def exact(lm, prompt, longest, temperature=1.0):
    """Every response of at most `longest` tokens with its probability, by a forward for each prefix."""
    found, prefixes = {}, {(): 0.0}
    for step in range(longest):
        longer = {}
        for prefix, log_prob in prefixes.items():
            with torch.no_grad():
                logits = lm.module(torch.tensor([[*prompt, *prefix]])).logits[0, -1].double()
            for token, value in enumerate((logits / temperature).log_softmax(-1).tolist()):
                done = token in lm.end_tokens or step + 1 == longest
                (found if done else longer)[(*prefix, token)] = log_prob + value
        prefixes = longer
    return found


@pytest.mark.parametrize("temperature", [1.0, 0.6, 1.7])
@pytest.mark.parametrize("few", ["llama", "gpt2"])
def test_responses_come_with_their_exact_probabilities(language_model, few, temperature):
    """Every response of a five-word model can be counted. Chi-square on 20,000 draws, 5 for each of 4,000 copies of the
    prompt; wrong once in 10,000 seeds for a right sampler.
    """
    lm = language_model(few, vocabulary=5)
    prompt, other = (1, 3, 4), (1, 3, 4, 0, 3, 3)
    truth = exact(lm, prompt, 3, temperature)
    assert sum(map(math.exp, truth.values())) == pytest.approx(1.0)
    rows = drawn(lm, [prompt] * 4000 + [other], 5, max_tokens=3, temperature=temperature, batch_tokens=10**6)[:-1]
    seen = Counter(response.tokens for response in flat(rows))
    assert seen.keys() <= truth.keys()
    expected = {response: 20000 * math.exp(value) for response, value in truth.items()}
    rare = [response for response, count in expected.items() if count < 5]
    often = [response for response, count in expected.items() if count >= 5]
    counts = [seen[response] for response in often] + [sum(seen[response] for response in rare)] * bool(rare)
    means = [expected[response] for response in often] + [sum(expected[response] for response in rare)] * bool(rare)
    assert len(often) > 20
    assert chisquare(counts, [mean * sum(counts) / sum(means) for mean in means]).pvalue > 1e-4


@pytest.mark.parametrize("lora", [None, 0.3])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_probs_of_draws_are_those_of_scoring(language_model, any_kind, lora, temperature):
    """At temperature 1 by `log_probs`, at the sampled one by the module's own logits; padded, rows leaving."""
    lm = language_model(any_kind, dtype=torch.float64, lora=lora)
    lm = replace(lm, end_tokens=(EOS, *range(5, 60)))
    rows = drawn(lm, temperature=temperature, batch_tokens=100)
    assert {len(response.tokens) for response in flat(rows)} > {1, 9}
    groups = [Group(prompt, tuple(r.tokens for r in row)) for prompt, row in zip(PROMPTS, rows, strict=True)]
    near = 1e-5 if any_kind == "gemma2" else 1e-10
    scored = log_probs(lm, groups, batch_tokens=1000).tolist()
    assert [response.log_prob for response in flat(rows)] == pytest.approx(scored, abs=near)
    for prompt, row in zip(PROMPTS, rows, strict=True):
        for response in row:
            with torch.no_grad():
                logits = lm.module(torch.tensor([[*prompt, *response.tokens]])).logits[0, len(prompt) - 1 : -1]
            warm = (logits / temperature).log_softmax(-1)[range(len(response.tokens)), list(response.tokens)]
            assert response.sampled_log_prob == pytest.approx(warm.sum().item(), abs=near)


def test_batches_and_company_change_no_draw(language_model, any_kind):
    lm = replace(language_model(any_kind, pad_is_eos=True), end_tokens=(EOS, *range(5, 40)))
    whole = drawn(lm, batch_tokens=10**6)
    assert len({len(response.tokens) for response in flat(whole)}) > 4
    for batch_tokens in (1, 45, 130):
        again = drawn(lm, batch_tokens=batch_tokens)
        assert tokens(again) == tokens(whole)
        assert [r.log_prob for r in flat(again)] == pytest.approx([r.log_prob for r in flat(whole)], abs=1e-4)
    other = [PROMPTS[0], (1, *range(100, 130)), PROMPTS[2]]
    beside = drawn(lm, other, batch_tokens=10**6)
    assert tokens(beside)[0] == tokens(whole)[0]
    assert tokens(beside)[2] == tokens(whole)[2]
    assert tokens(beside)[1] != tokens(whole)[1]


def test_equal_seeds_give_equal_draws(language_model):
    lm = language_model()
    assert drawn(lm, seed=3) == drawn(lm, seed=3)
    assert tokens(drawn(lm, seed=3)) != tokens(drawn(lm, seed=4))
    assert len(set(flat(tokens(drawn(lm, n=20))))) > 55


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_each_attention_takes_left_padding(language_model, kind, attention):
    lm = language_model(kind, attention=attention)
    together = drawn(lm)
    alone = [drawn(lm, [PROMPTS[1]] * 3)[1]]
    assert tokens(alone)[0] == tokens(together)[1]


def work(lm):
    """The positions that each forward of the body pushes through the model."""
    calls = []
    network(lm).body.register_forward_pre_hook(
        lambda _, args, kwargs: calls.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    return calls


@pytest.mark.parametrize("trained_with_checkpoints", [False, True])
def test_a_prompt_is_read_once_and_each_token_pushed_once(language_model, any_kind, trained_with_checkpoints):
    """All responses share one reading of their prompt, no ended row is carried on, and the cache is on whatever
    gradient checkpointing or the config say.
    """
    lm = replace(language_model(any_kind), end_tokens=(EOS, *range(5, 60)))
    prompts = [(1, 3, 50, EOS, 4), (1, 3, 51, 52, 4)]
    plain = drawn(lm, prompts, n=6)
    if trained_with_checkpoints:
        lm.module.activation_checkpointing_enable()
        lm.module.config.use_cache = False
        lm.module.train()
    calls = work(lm)
    rows = drawn(lm, prompts, n=6)
    assert tokens(rows) == tokens(plain)
    assert calls[0] == (2, 5)
    assert all(length == 1 for _, length in calls[1:])
    assert sum(count for count, _ in calls[1:]) == sum(len(response.tokens) - 1 for response in flat(rows))
    assert lm.module.training == trained_with_checkpoints


def test_rows_that_wait_take_the_places_of_rows_that_ended(language_model):
    """Two prompts of other lengths, seven responses each, three at once: never fewer while one waits."""
    lm = replace(language_model(), end_tokens=(EOS, *range(5, 60)))
    calls = work(lm)
    rows = drawn(lm, PROMPTS[:2], n=7, batch_tokens=2 * 3 * (5 + 9))
    assert [shape for shape in calls if shape[1] > 1] == [(2, 5)]
    steps = [count for count, length in calls if length == 1]
    assert sum(steps) == sum(len(response.tokens) - 1 for response in flat(rows))
    assert steps == sorted(steps, reverse=True)
    assert steps.count(3) > 9
    assert tokens(rows) == tokens(drawn(lm, PROMPTS[:2], n=7))


def test_several_voices_draw_what_each_draws_alone(language_model, any_kind):
    one, two = language_model(any_kind, seed=1), language_model(any_kind, seed=2)

    def voices():
        return [Voice(lm, n, torch.Generator().manual_seed(n)) for lm, n in ((one, 3), (two, 1), (one, 0))]

    generation = Generation(max_tokens=9, engine="plain")
    together = sample(voices(), PROMPTS, generation=generation)
    alone = [sample([voice], PROMPTS, generation=generation)[0] for voice in voices()]
    assert together == alone
    assert [len(row[0]) for row in together] == [3, 1, 0]


def test_dropout_never_acts(language_model):
    lm = language_model("gpt2", dropout=0.5, lora=0.3)
    quiet = drawn(lm)
    lm.module.train()
    assert drawn(lm) == quiet
    assert lm.module.training
    assert any(isinstance(part, torch.nn.Dropout) and part.p == 0.5 and part.training for part in lm.module.modules())


def test_no_gradient_is_kept_and_training_goes_on(language_model):
    lm = language_model(lora=0.3)
    drawn(lm)
    log_probs(lm, [Group((1, 5), ((6, 7),))], batch_tokens=100).sum().backward()
    assert any(p.grad is not None and bool(p.grad.any()) for p in lm.module.parameters())


def test_a_response_ends_at_its_first_end_token(language_model):
    lm = replace(language_model(), end_tokens=(EOS, *range(100, 140)))
    for response in flat(drawn(lm, n=30)):
        assert not set(response.tokens[:-1]) & set(lm.end_tokens)
        assert response.ended == (response.tokens[-1] in lm.end_tokens)
        assert response.ended or len(response.tokens) == 9
    assert {response.ended for response in flat(drawn(lm, n=30))} == {True, False}


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_the_context_cuts_a_response(language_model, kind):
    """The long prompt's rows stop, while those beside it go on to the limit of all."""
    lm = replace(language_model(kind), end_tokens=(10**6,))
    long, short = tuple(range(5, 95)), (1, 5)
    rows = drawn(lm, [long, short], n=3, max_tokens=30)
    assert [len(response.tokens) for response in rows[0]] == [96 - 90] * 3
    assert [len(response.tokens) for response in rows[1]] == [30] * 3
    assert not any(response.ended for response in flat(rows))
    scored = log_probs(lm, [Group(long, tuple(r.tokens for r in rows[0]))], batch_tokens=10**4)
    assert [response.log_prob for response in rows[0]] == pytest.approx(scored.tolist(), rel=1e-5)


def test_nothing_to_draw(language_model):
    lm = language_model()
    assert drawn(lm, [], n=3) == []
    assert drawn(lm, n=0) == [[], [], []]


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_a_temperature_without_a_distribution_is_refused(language_model, temperature):
    with pytest.raises(ConfigError, match="Write temperature"):
        drawn(language_model(), temperature=temperature)


def test_a_broken_model_is_refused(language_model):
    lm = language_model()
    network(lm)
    with torch.no_grad():
        lm.module.lm_head.weight[7] = torch.nan
    with pytest.raises(ModelError, match="not finite"):
        drawn(lm)

"""The learner that projects: its weights by the published formula, its gradient by hand, and where it ends up."""

import dataclasses
import math
import statistics
from copy import deepcopy

import pytest
import torch

from boldly.hypotheses import Ensemble, Members
from boldly.learner import Pool
from boldly.lm.learners import Descent, ProjectionLearner, projection
from boldly.types import Response
from tests.lm.learners.enumerable import (
    ANSWERS,
    EOS,
    PROMPTS,
    VOCABULARY,
    drawn,
    evidence,
    policy,
    response,
    same_bits,
    slowly,
    weights,
)

PLACES = {(prompt.id, tokens): i for i, (prompt, tokens) in enumerate((p, a) for p in PROMPTS for a in ANSWERS)}
"""The column of each answer's feature: all features are indicators, so that hypotheses can be any table."""


def features(prompts, responses):
    rows = torch.tensor([PLACES[p.id, r.tokens] for p, r in zip(prompts, responses, strict=True)])
    return torch.nn.functional.one_hot(rows, len(PLACES)).float()


def ensemble_of(tables):
    """Hypotheses whose rewards are exactly `tables`, one reward for each place: a unit for each feature."""
    members, places = tables.shape
    hidden = torch.eye(places).expand(members, -1, -1).contiguous()
    output = tables / math.tanh(1.0)
    return Ensemble(Members(hidden, torch.zeros(members, places), output), torch.zeros(places), torch.ones(places))


def tables(members, seed=0, scale=1.0):
    return scale * torch.randn(members, len(PLACES), generator=torch.Generator().manual_seed(seed))


def pool_of(prompts, responses):
    return Pool(tuple(prompts), tuple(responses), features(prompts, responses))


def mixed_pool(n=50, seed=0):
    """Answers of the reference and of the policy to both prompts, no two of them equal, a third of them cut."""
    generator = torch.Generator().manual_seed(seed)
    prompts, responses = [], []
    for i, place in enumerate(torch.randperm(len(PLACES), generator=generator).tolist()[:n]):
        prompts.append(PROMPTS[place // len(ANSWERS)])
        origin = "iterate-3" if i % 4 == 0 else "iterate-0"
        drawn_ = response(ANSWERS[place % len(ANSWERS)], origin)
        responses.append(dataclasses.replace(drawn_, ended=i % 3 != 1))
    return pool_of(prompts, responses)


def learner(descent=None, **changes):
    return dataclasses.replace(ProjectionLearner(descent or Descent(1e-3), warmup=0), **changes)


def never(policy, prompts, responses):
    raise AssertionError("a projection reads no log-probability of the reference")


def ready(pool, rewards, labels=10, **rest):
    """Evidence with `labels` labels, whose hypotheses give `rewards`."""
    given = evidence(drawn(labels, seed=0), pool=pool, hypotheses=ensemble_of(rewards), **rest)
    return dataclasses.replace(given, log_probs=never)


def fresh(language_model, kind="llama", **changes):
    live = policy(language_model(kind, vocabulary=VOCABULARY, **changes))
    return live, live.freeze("iterate-0")


@pytest.fixture
def sampled(monkeypatch):
    """The weights that responses were drawn with, and the rows that were drawn, call by call."""
    calls, draw = [], torch.multinomial

    def spy(weights, *args, **kwargs):
        rows = draw(weights, *args, **kwargs)
        calls.append((weights.clone(), rows.tolist()))
        return rows

    monkeypatch.setattr(torch, "multinomial", spy)
    return calls


def test_nothing_happens_before_the_warm_up_is_bought(language_model):
    live, reference = fresh(language_model)
    before = weights(live.lm)
    pool, rewards = mixed_pool(), tables(3)
    for labels, steps in ((0, 0), (11, 0), (12, 2), (13, 2)):
        parts = learner(warmup=12, steps=2)
        after, reports = parts.fit(live, reference, ready(pool, rewards, labels), name=f"after {labels}", seed=0)
        assert after.name == f"after {labels}"
        assert [report.labels for report in reports] == [tuple(range(labels))] * steps
        assert same_bits(weights(live.lm), before) == (steps == 0)


def published(pool, rewards, *, labels, beta, above, bound, optimism, fade, at_least):
    """The weights by the formula in the learner's docstring, with plain numbers and one row after another."""
    rows = zip(pool.prompts, pool.responses, strict=True)
    columns = [rewards[:, PLACES[prompt.id, r.tokens]].double().tolist() for prompt, r in rows]
    c = optimism * max(0.0, 1 - labels / fade)
    u = [statistics.mean(row) + c * statistics.stdev(row) for row in columns]
    u = [value if r.ended else min(u) for value, r in zip(u, pool.responses, strict=True)]
    base = [math.exp(value / beta) for value, r in zip(u, pool.responses, strict=True) if r.origin == "iterate-0"]
    log_z = math.log(sum(base) / len(base))
    t = [min(bound, max(-bound, value / beta - log_z)) for value in u]
    chosen = [i for i in range(len(t)) if t[i] > above]
    if len(chosen) < at_least:
        chosen = sorted(range(len(t)), key=lambda i: -t[i])[:at_least]
    total = sum(math.exp(t[i]) for i in chosen)
    return torch.tensor([math.exp(t[i]) / total if i in set(chosen) else 0.0 for i in range(len(t))])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"beta": 0.3, "bound": 2.0},
        {"above": -3.0, "optimism": 2.5},
        {"optimism": 0.0},
        {"fade": 10},
        {"above": 1.5, "beta": 2.0, "batch": 20},
    ],
    ids=str,
)
def test_the_weights_are_those_of_the_published_formula(language_model, sampled, settings):
    """Mean, spread, fading optimism, cut responses, one Z of the reference's responses, bound and threshold."""
    live, reference = fresh(language_model)
    pool, rewards = mixed_pool(), tables(4)
    parts = learner(**{"steps": 1, "batch": 4} | settings)
    parts.fit(live, reference, ready(pool, rewards, labels=10), name="iterate-4", seed=0)
    names = ("beta", "above", "bound", "optimism", "fade")
    wanted = {name: getattr(parts, name) for name in names}
    expected = published(pool, rewards, labels=10, at_least=parts.batch, **wanted)
    ((given, _),) = sampled
    torch.testing.assert_close(given, expected, atol=1e-6, rtol=1e-5)
    assert 4 <= int((given > 0).sum()) < len(given)


def test_a_cut_response_has_the_least_target_whatever_its_reward(language_model, sampled):
    live, reference = fresh(language_model)
    rewards = tables(2)
    rewards[:, 0] = 5.0
    answers = [response(ANSWERS[i], "iterate-0") for i in range(6)]
    for ended in (True, False):
        pool = pool_of([PROMPTS[0]] * 6, [dataclasses.replace(answers[0], ended=ended), *answers[1:]])
        learner(steps=1, batch=2, above=-9.0).fit(live, reference, ready(pool, rewards), name="iterate-1", seed=0)
    kept, cut = (given for given, _ in sampled)
    assert kept[0] > 0.9
    assert cut[0] == cut.min()


@pytest.mark.parametrize("batch_tokens", [16384, 10])
def test_the_gradient_is_that_of_the_drawn_responses_likelihood_per_token(language_model, sampled, batch_tokens):
    """The mean of -log pi / length over the rows that were drawn, repeats counted, by one plain pass for each."""
    live, reference = fresh(language_model, "gpt2", dtype=torch.float64)
    pool, seen = mixed_pool(), {}
    for name, p in live.lm.module.named_parameters():
        p.register_post_accumulate_grad_hook(lambda p, name=name: seen.__setitem__(name, p.grad.clone()))
    module = deepcopy(live.lm.module)
    parts = learner(Descent(1e-3, batch_tokens=batch_tokens), steps=1, batch=24)
    _, (report,) = parts.fit(live, reference, ready(pool, tables(3)), name="iterate-1", seed=0)
    ((_, rows),) = sampled
    assert len(set(rows)) < len(rows) == 24
    chosen = [(pool.prompts[row], pool.responses[row].tokens) for row in rows]
    loss = sum(-slowly(live.lm, module, prompt, tokens) / len(tokens) for prompt, tokens in chosen) / len(rows)
    loss.backward()
    assert report.preference == pytest.approx(loss.item(), rel=1e-9)
    assert report.bonus == 0.0
    for name, p in module.named_parameters():
        by_hand = torch.zeros_like(p) if p.grad is None else p.grad
        torch.testing.assert_close(seen.get(name, torch.zeros_like(p)), by_hand, atol=1e-10, rtol=1e-9)


def references_pool(reference, n, lengths):
    """Answers that the reference drew, of these lengths; what is cut counts as ended here, as all may be taught."""
    prompts, responses = [], []
    for prompt, row in zip(PROMPTS, reference.sample(PROMPTS, n, seed=1), strict=True):
        kept = [dataclasses.replace(r, ended=True) for r in row if r.length in lengths]
        prompts += [prompt] * len(kept)
        responses += kept
    return pool_of(prompts, responses)


def target_of(pool, u, beta, power=0.0):
    """What the pool's pi_ref exp(u / beta) / Z is for each prompt and answer, times length^power."""
    mass = torch.zeros(len(PROMPTS), len(ANSWERS), dtype=torch.float64)
    for prompt, r in zip(pool.prompts, pool.responses, strict=True):
        tilt = math.exp(float(u[PLACES[prompt.id, r.tokens]]) / beta)
        mass[PROMPTS.index(prompt), ANSWERS.index(r.tokens)] += tilt * r.length**power
    return mass / mass.sum(1, keepdim=True)


def distribution(live):
    answers: list[Response] = [response(tokens) for tokens in ANSWERS]
    rows = [live.log_probs([prompt] * len(answers), answers) for prompt in PROMPTS]
    return torch.stack(rows).double().exp()


def distance(one, other):
    """The largest total variation distance over the prompts."""
    return float(((one - other).abs().sum(1) / 2).max())


def projected(language_model, lengths, u, beta=0.7):
    """The reference's pool, and the policy before and after 15 rounds of 16 steps at falling rates."""
    live, reference = fresh(language_model)
    pool = references_pool(reference, 400, lengths)
    start, state = distribution(live), {}
    for rate, rounds in ((2e-2, 6), (4e-3, 5), (8e-4, 4)):
        parts = learner(Descent(rate), beta=beta, above=-50.0, bound=50.0, steps=16, batch=64)
        parts.restore(state)
        for seed in range(rounds):
            live, _ = parts.fit(live, reference, ready(pool, u.expand(2, -1)), name="next", seed=seed)
        state = parts.state()
    return pool, start, distribution(live)


def test_many_rounds_approach_the_references_tilted_optimum(language_model):
    """pi_ref exp(u / beta) / Z where all answers are of one length, to 0.1 in total variation.

    Measured 0.05, from 0.55 at the start, and 0.27 to the optimum at twice the beta. What is left is the noise of
    batches of 64.
    """
    u = tables(1, seed=6)[0]
    pool, start, end = projected(language_model, {2}, u)
    target = target_of(pool, u, 0.7)
    assert distance(start, target) > 0.5
    assert distance(end, target) < 0.1
    assert distance(end, target_of(pool, u, 1.4)) > 0.2


def test_the_likelihood_per_token_tilts_the_optimum_to_short_answers(language_model):
    """Over answers of one and two tokens it is pi_ref exp(u / beta) / length, renormalised.

    Measured 0.04 to that and 0.19 to the optimum without the lengths.
    """
    u = tables(1, seed=4)[0]
    u[[PLACES[prompt.id, (EOS,)] for prompt in PROMPTS]] += 1.5
    pool, _, end = projected(language_model, {1, 2}, u)
    assert distance(end, target_of(pool, u, 0.7, power=-1.0)) < 0.1
    assert distance(end, target_of(pool, u, 0.7)) > 0.15


def test_it_is_drawn_by_its_seed_alone_and_goes_on_from_a_state(language_model):
    pool, rewards = mixed_pool(), tables(3)
    ends = []
    for seed, forget in ((1, False), (1, False), (2, False), (1, True)):
        live, reference = fresh(language_model)
        parts = learner(steps=2, batch=8)
        live, _ = parts.fit(live, reference, ready(pool, rewards), name="iterate-1", seed=0)
        resumed = learner(steps=2, batch=8)
        resumed.restore({} if forget else parts.state())
        resumed.fit(live, reference, ready(pool, rewards), name="iterate-2", seed=seed)
        ends.append(weights(live.lm))
    assert same_bits(ends[0], ends[1])
    assert not same_bits(ends[0], ends[2])
    assert not same_bits(ends[0], ends[3])


def test_the_factory_hands_every_option_to_the_learner():
    options = {
        "beta": 0.3,
        "steps": 3,
        "batch": 5,
        "above": 0.25,
        "bound": 6.0,
        "warmup": 7,
        "optimism": 0.5,
        "fade": 9,
    }
    made = projection(**options, learning_rate=0.25, clip=2.0)
    assert {name: getattr(made, name) for name in options} == options
    assert (made.descent.learning_rate, made.descent.clip) == (0.25, 2.0)
    assert made.hypotheses

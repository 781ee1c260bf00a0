"""The learner of XPO and its family: equal to brute force on a model that can be enumerated, and to Algorithm 1."""

import dataclasses
from copy import deepcopy
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import logsigmoid

from boldly.ledger import Budget, MemoryLedger
from boldly.lm.learners import Descent, PreferenceLearner, preference
from boldly.lm.learners.preference import batches
from boldly.lm.model import Generation
from boldly.lm.network import network
from boldly.lm.policy import LMPolicy
from boldly.loop import Loop, Parts, Schedule
from boldly.objectives import OBJECTIVES
from boldly.references import fixed
from boldly.samplers import policy_and_reference
from boldly.selectors import first_pair
from boldly.types import Preference, Prompt
from tests.lm.learners.enumerable import (
    ANSWERS,
    EOS,
    PROMPTS,
    VOCABULARY,
    comparison,
    drawn,
    evidence,
    moved,
    policy,
    same_bits,
    slowly,
    weights,
)
from tests.support.given import Given
from tests.support.tabular import MemoryArchive

BETA, ALPHA, TAU = 0.4, 0.3, 0.2


def by_hand_dpo(p, h):
    return -p * logsigmoid(BETA * h) - (1 - p) * logsigmoid(-BETA * h)


BY_HAND = {
    "dpo": ({"beta": BETA}, lambda p, h, e, r: (by_hand_dpo(p, h), 0 * h)),
    "ipo": ({"tau": TAU}, lambda p, h, e, r: (p * (h - 2.5) ** 2 + (1 - p) * (h + 2.5) ** 2, 0 * h)),
    "xpo": ({"beta": BETA, "alpha": ALPHA}, lambda p, h, e, r: (by_hand_dpo(p, h), ALPHA * e)),
    "selm": ({"beta": BETA, "alpha": ALPHA}, lambda p, h, e, r: (by_hand_dpo(p, h), ALPHA * (e - r))),
    "vpo": ({"beta": BETA, "alpha": ALPHA}, lambda p, h, e, r: (by_hand_dpo(p, h), ALPHA * (e - r))),
    "xpo, floor": (
        {"beta": BETA, "alpha": ALPHA, "floor": 0.05},
        lambda p, h, e, r: (by_hand_dpo(p, h), ALPHA * torch.maximum(e, r - 0.05)),
    ),
    "vpo, offline": (
        {"beta": BETA, "alpha": ALPHA, "sign": -1},
        lambda p, h, e, r: (by_hand_dpo(p, h), -ALPHA * (e - r)),
    ),
}
"""Options, and the two terms of a row from the label, the margin, and log pi and log pi_ref of the explored answer."""


def learner(name, *, descent=None, steps=1, batch=1000, **changes):
    objective = OBJECTIVES[name.split(",")[0]]
    options = BY_HAND[name][0] | {key: changes.pop(key) for key in ("alpha",) if key in changes}
    function = partial(objective.function, **options)
    return PreferenceLearner(function, objective.columns, descent or Descent(1e-3), steps, batch, **changes)


def brute_force(name, live, reference, data):
    """Loss terms and gradients by one plain pass for each answer under each model."""
    module = deepcopy(live.lm.module)
    module.zero_grad()
    preference_terms, bonus_terms = [], []
    for c in data:
        answers = [c.query.a.tokens, c.query.b.tokens, c.query.explore.tokens]
        a, b, e = (slowly(live.lm, module, c.query.prompt, tokens) for tokens in answers)
        with torch.no_grad(), reference.in_place():
            ra, rb, r = (slowly(live.lm, reference.lm.module, c.query.prompt, tokens) for tokens in answers)
        p = torch.tensor(c.label, dtype=torch.float64)
        terms = BY_HAND[name][1](p, (a - ra) - (b - rb), e, r)
        preference_terms.append(c.weight * terms[0])
        bonus_terms.append(c.weight * terms[1])
    total_weight = sum(c.weight for c in data)
    preference_term, bonus = sum(preference_terms) / total_weight, sum(bonus_terms) / total_weight
    (preference_term + bonus).backward()
    gradients = {n: p.grad for n, p in module.named_parameters() if p.grad is not None}
    return preference_term.item(), bonus.item(), gradients


def gradients_of(lm):
    """What the learner's own pass accumulates in each trained parameter, before anything is clipped."""
    seen = {}
    for name, p in lm.module.named_parameters():
        if p.requires_grad:
            p.register_post_accumulate_grad_hook(lambda p, name=name: seen.__setitem__(name, p.grad.clone()))
    return seen


def check_against_brute_force(live, name, batch_tokens, tolerance):
    reference = live.freeze("iterate-0")
    moved(live)
    data = drawn(12, seed=1)
    preference_term, bonus, expected = brute_force(name, live, reference, data)
    seen = gradients_of(live.lm)
    descent = Descent(1e-3, batch_tokens=batch_tokens)
    _, (report,) = learner(name, descent=descent).fit(live, reference, evidence(data), name="iterate-1", seed=0)
    assert sorted(report.labels) == list(range(12))
    assert report.preference == pytest.approx(preference_term, abs=tolerance)
    assert report.bonus == pytest.approx(bonus, abs=tolerance)
    for parameter, gradient in seen.items():
        # A parameter that nothing reads, such as an embedding never looked up, has no gradient by hand.
        by_hand = expected.get(parameter, torch.zeros_like(gradient))
        torch.testing.assert_close(gradient, by_hand, atol=tolerance, rtol=tolerance)
    norm = torch.stack([gradient.norm() for gradient in expected.values()]).norm()
    assert norm > 0.01
    assert report.gradient_norm == pytest.approx(float(norm), rel=tolerance)


@pytest.mark.parametrize("name", sorted(BY_HAND))
@pytest.mark.parametrize("batch_tokens", [16384, 12])
def test_the_language_model_learner_equals_the_lab(language_model, name, batch_tokens):
    """Loss and gradient to 1e-6 in float64, in one pack and in micro-batches.

    Encoding, packing behind a shared prompt, scoring, the ledger's reference scores, the table and the objective,
    against plain passes over one answer at a time and the formulas written out.
    """
    lm = language_model("gpt2", vocabulary=VOCABULARY, dtype=torch.float64)
    check_against_brute_force(policy(lm), name, batch_tokens, 1e-6)


@pytest.mark.parametrize(("kind", "lora"), [("llama", None), ("mistral-sliding", None), ("llama-tied", 0.3)])
def test_so_it_does_in_other_families_and_with_an_adapter(language_model, kind, lora):
    """Rows that can't share a prompt, and an adapter; to 5e-6, as these families' norms work in float32 whatever."""
    lm = language_model(kind, vocabulary=VOCABULARY, dtype=torch.float64, lora=lora)
    check_against_brute_force(policy(lm), "xpo", 30, 5e-6)


def fresh(language_model, kind="llama", **changes):
    live = policy(language_model(kind, vocabulary=VOCABULARY, **changes))
    return live, live.freeze("iterate-0")


@pytest.mark.parametrize(("history", "expected"), [("all", range(12)), ("newest", range(8, 12))])
def test_history_says_which_labels_a_step_consumes(language_model, history, expected):
    live, reference = fresh(language_model)
    data = drawn(12, seed=2, rounds=3)
    parts = {"history": history, "batch": 3, "steps": 4}
    after, reports = learner("dpo", **parts).fit(live, reference, evidence(data, round=2), name="iterate-3", seed=0)
    assert after.name == "iterate-3"
    assert [len(report.labels) for report in reports] == [3] * 4
    assert {label for report in reports for label in report.labels} == set(expected)


@pytest.mark.parametrize("history", ["all", "newest"])
def test_without_a_label_nothing_is_learned(language_model, history):
    """No label at all, or none in this round."""
    live, reference = fresh(language_model)
    before = weights(live.lm)
    data = drawn(4, seed=2) if history == "newest" else ()
    ready = evidence(data, round=1)
    after, reports = learner("dpo", history=history).fit(live, reference, ready, name="iterate-2", seed=0)
    assert (after.name, reports) == ("iterate-2", ())
    assert same_bits(weights(live.lm), before)


@pytest.mark.parametrize("history", ["all", "newest"])
def test_no_more_is_read_and_scored_than_the_batches_and_the_round(language_model, history):
    """Of 60 rounds of five: the newest five and what two steps of three draw, each read once and in order."""
    live, reference = fresh(language_model)
    data, read, scored = drawn(300, seed=2, rounds=60), [], []

    class Reading(Given):
        def at(self, rows):
            read.extend(rows)
            return super().at(rows)

        def __iter__(self):
            raise AssertionError("nobody asked for the whole history")

    ready = evidence(data, round=59)

    def log_probs(policy, prompts, responses):
        scored.extend(responses)
        return ready.log_probs(policy, prompts, responses)

    ready = dataclasses.replace(ready, comparisons=Reading(data))
    watched = dataclasses.replace(ready, log_probs=log_probs)
    parts = learner("dpo", history=history, batch=3, steps=2)
    _, reports = parts.fit(live, reference, watched, name="iterate-60", seed=0)
    learned = {label for report in reports for label in report.labels}
    assert read == sorted(learned | set(range(295, 300)))
    assert len(scored) == 2 * len(read)
    assert (len(learned), min(learned) < 295) == ((6, True) if history == "all" else (5, False))


def shuffled(n, size, steps, generator):
    """The batches as they are defined: every pass is a permutation of all rows, those that wait already at its end."""
    queue = []
    for _ in range(steps):
        while len(queue) < min(size, n):
            queue += sorted(torch.randperm(n, generator=generator).tolist(), key=queue.__contains__)
        yield [queue.pop(0) for _ in range(min(size, n))]


@given(n=st.integers(1, 60), size=st.integers(1, 40), steps=st.integers(0, 12), seed=st.integers(0, 99))
def test_batches_are_those_of_whole_permutations_though_no_more_is_kept_than_is_needed(n, size, steps, seed):
    made, defined = (list(each(n, size, steps, torch.Generator().manual_seed(seed))) for each in (batches, shuffled))
    assert made == defined


@given(n=st.integers(1, 30), size=st.integers(1, 40), steps=st.integers(0, 12), seed=st.integers(0, 99))
def test_batches_use_every_row_equally_often(n, size, steps, seed):
    made = list(batches(n, size, steps, torch.Generator().manual_seed(seed)))
    assert [len(batch) for batch in made] == [min(size, n)] * steps
    assert all(len(set(batch)) == len(batch) for batch in made)
    rows = [row for batch in made for row in batch]
    assert set(rows) <= set(range(n))
    uses = [rows.count(row) for row in range(n)]
    assert max(uses) - min(uses) <= 1


def test_batches_are_drawn_by_their_generator_alone():
    made = [list(batches(9, 4, 5, torch.Generator().manual_seed(seed))) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


def first_update(language_model, spent, decay_to):
    """How far the first step of AdamW moves every weight; it is proportional to the rate whatever the gradient."""
    live, reference = fresh(language_model, dtype=torch.float64)
    before = weights(live.lm)
    parts = learner("dpo", decay_to=decay_to)
    parts.fit(live, reference, evidence(drawn(6, seed=3), spent=spent), name="iterate-1", seed=0)
    return torch.cat([(p.detach() - before[name]).flatten() for name, p in live.lm.module.named_parameters()])


@pytest.mark.parametrize(
    ("decay_to", "spent", "rate"),
    [(1.0, 0.7, 1.0), (0.0, 0.25, 0.75), (0.2, 0.5, 0.6), (0.2, 1.0, 0.2), (0.0, 1.0, 0.0), (0.2, 1.5, 0.2)],
)
def test_the_rate_falls_linearly_with_the_budget_to_decay_to(language_model, decay_to, spent, rate):
    full = first_update(language_model, 0.0, decay_to)
    assert full.abs().max() > 5e-4
    torch.testing.assert_close(first_update(language_model, spent, decay_to), rate * full, atol=1e-12, rtol=1e-6)


def two_answers(n, seed):
    """Comparisons whose explored answer is `b`, as the sampler of XPO makes them."""
    return tuple(dataclasses.replace(c, query=dataclasses.replace(c.query, explore=c.query.b)) for c in drawn(n, seed))


def after_steps(language_model, data, name, **changes):
    live, reference = fresh(language_model)
    parts = learner(name, steps=6, batch=4, **changes)
    _, reports = parts.fit(live, reference, evidence(data), name="iterate-1", seed=5)
    return weights(live.lm), reports


def test_xpo_without_alpha_is_online_dpo_bit_for_bit(language_model):
    """Acceptance check 1: the same seeds, six steps; with alpha the weights differ."""
    data = two_answers(10, seed=4)
    dpo, reports = after_steps(language_model, data, "dpo")
    without, same_reports = after_steps(language_model, data, "xpo", alpha=0.0)
    assert same_bits(dpo, without)
    assert reports == same_reports
    assert not same_bits(dpo, after_steps(language_model, data, "xpo", alpha=1e-3)[0])


def one_round(language_model, label):
    """A first round of XPO in which every query gets this label; the policy still is the reference."""
    lm = language_model(chat=True, dtype=torch.float64)
    # Half of all tokens end an answer, so that a random model gives answers that are paid for.
    lm = dataclasses.replace(lm, end_tokens=(EOS, *range(130, 261)))
    live = LMPolicy("iterate-0", lm, Generation(max_tokens=16))
    archive = MemoryArchive(live.freeze("iterate-0"))
    loop = Loop(
        policy=live,
        prompts=[Prompt(f"question {i}") for i in range(6)],
        parts=Parts(policy_and_reference(), first_pair, fixed, learner("xpo")),
        ledger=MemoryLedger(),
        archive=archive,
        budget=Budget(6),
        schedule=Schedule(labels_per_round=6),
    )
    queries = loop.ask()
    loop.tell([(query, Preference(label)) for query in queries], source="me")
    return queries, loop.fit().steps[0]


def test_the_bonus_is_taken_on_the_references_answer_whatever_the_labels_say(language_model):
    """Sampled, stored, told and fitted for real: all labels flipped, the bonus keeps its bits.

    Where the policy is the reference it is alpha times the mean log-probability of the reference's own answers.
    """
    (queries, won), (same, lost) = (one_round(language_model, label) for label in (1.0, 0.0))
    assert queries == same
    assert len(queries) == 6
    assert won.bonus == lost.bonus
    assert won.gradient_norm != lost.gradient_norm
    b, a = (sum(r.log_prob for r in answers) / 6 for answers in zip(*((q.b, q.a) for q in queries), strict=True))
    assert won.bonus == pytest.approx(ALPHA * b, rel=1e-9)
    assert won.bonus != pytest.approx(ALPHA * a, rel=1e-3)


def tokens_read(lm):
    """How many tokens go through the body of `lm`, pass by pass."""
    seen = []
    network(lm).body.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    return seen


def test_nothing_is_scored_twice(language_model):
    """Prompt and both answers once in a step, the explored one not again; the reference's answers once in a run."""
    live, reference = fresh(language_model)
    trained, scored = tokens_read(live.lm), tokens_read(reference.lm)
    a, b = (1, EOS), (3, 4)
    data = [comparison(PROMPTS[1], a, b, 1.0, explore=b), comparison(PROMPTS[1], b, a, 0.0, sequence=1, explore=b)]
    ledger = MemoryLedger()
    parts = learner("xpo", batch=1, steps=2)
    parts.fit(live, reference, evidence(data, ledger=ledger), name="iterate-1", seed=0)
    assert trained == [3 + 2 + 2] * 2
    assert sum(scored) == 3 + 2 + 2
    parts.fit(live, reference, evidence(data, ledger=ledger), name="iterate-2", seed=1)
    assert sum(scored) == 3 + 2 + 2


def test_repeated_and_contradicting_labels_are_one_soft_label(language_model):
    """Two wins and a loss of one pair are the gradient of probability 2/3; a tie is that of one win and one loss."""
    pair = (PROMPTS[0], ANSWERS[3], ANSWERS[9])
    for soft, hard in {2 / 3: [1.0, 1.0, 0.0], 0.5: [1.0, 0.0]}.items():
        ends = []
        for labels in (hard, [soft]):
            live, reference = fresh(language_model, "gpt2", dtype=torch.float64)
            moved(live)
            seen = gradients_of(live.lm)
            data = [comparison(*pair, label, sequence=i) for i, label in enumerate(labels)]
            _, (report,) = learner("dpo").fit(live, reference, evidence(data), name="iterate-1", seed=0)
            ends.append((report.preference, seen))
        assert ends[0][0] == pytest.approx(ends[1][0], rel=1e-9)
        assert max(gradient.abs().max() for gradient in ends[0][1].values()) > 1e-3
        for name, gradient in ends[0][1].items():
            torch.testing.assert_close(gradient, ends[1][1][name], atol=1e-12, rtol=1e-9)


def test_a_pair_of_equal_answers_teaches_no_preference_but_carries_the_bonus(language_model):
    """Acceptance check 2: a step on it lowers log pi of the reference's answer; without a bonus nothing moves."""
    answer = ANSWERS[5]
    data = [comparison(PROMPTS[0], answer, answer, 1.0, explore=answer)]
    for name, falls in (("xpo", True), ("dpo", False)):
        live, reference = fresh(language_model, dtype=torch.float64)
        before = slowly(live.lm, live.lm.module, PROMPTS[0], answer).item()
        _, (report,) = learner(name).fit(live, reference, evidence(data), name="iterate-1", seed=0)
        after = slowly(live.lm, live.lm.module, PROMPTS[0], answer).item()
        assert report.preference == pytest.approx(torch.tensor(2.0).log().item(), abs=1e-6)
        assert (after < before - 1e-4) if falls else (report.gradient_norm == 0.0 and after == before)


def test_a_learner_that_is_restored_goes_on_with_the_same_bits(language_model):
    live, reference = fresh(language_model)
    data = drawn(10, seed=6)
    parts, resumed = (learner("xpo", steps=2, batch=4) for _ in range(2))
    live, _ = parts.fit(live, reference, evidence(data), name="iterate-1", seed=1)
    copy = policy(dataclasses.replace(live.lm, module=deepcopy(live.lm.module)), "iterate-1")
    resumed.restore(parts.state())
    ends = [
        part.fit(one, reference, evidence(data), name="iterate-2", seed=2)
        for part, one in ((parts, live), (resumed, copy))
    ]
    assert same_bits(weights(ends[0][0].lm), weights(ends[1][0].lm))
    assert ends[0][1] == ends[1][1]


def test_a_frozen_reference_is_left_as_it_was(language_model):
    for lora in (None, 0.3):
        live, reference = fresh(language_model, lora=lora)
        data = drawn(6, seed=7)
        prompts, answers = [c.query.prompt for c in data], [c.query.a for c in data]
        before = reference.log_probs(prompts, answers)
        learner("xpo", steps=3).fit(live, reference, evidence(data), name="iterate-1", seed=0)
        assert torch.equal(reference.log_probs(prompts, answers), before)
        assert not torch.equal(live.log_probs(prompts, answers), before)
        assert not live.lm.module.training


def test_the_factory_hands_every_option_to_the_learner():
    made = preference(
        OBJECTIVES["dpo"].function,
        frozenset({"length"}),
        steps=3,
        batch=5,
        history="newest",
        learning_rate=0.25,
        decay_to=0.5,
        clip=2.0,
    )
    assert (made.steps, made.batch, made.history, made.decay_to) == (3, 5, "newest", 0.5)
    assert (made.descent.learning_rate, made.descent.clip) == (0.25, 2.0)
    assert made.columns == {"length"}
    assert not made.hypotheses

import itertools
import logging
from dataclasses import replace

import pytest
import torch

from boldly.lm.engines.mismatch import BOUND, Mismatch, settled, tell
from boldly.lm.model import Generation
from boldly.lm.pack import Group
from boldly.lm.policy import LMPolicy
from boldly.lm.sampling import Voice, sample
from boldly.lm.score import log_probs

PROMPTS = [(1, 3, 50), (1, 40), (1, 3, 60, 61, 62, 63)]
LENGTH = 6


def drawn(voice: Voice, temperature=1.0):
    (rows,) = sample([voice], PROMPTS, generation=Generation(LENGTH, temperature, engine="plain"))
    return rows


def voice(lm, n=4) -> Voice:
    return Voice(replace(lm, end_tokens=(2, *range(5, 60))), n, torch.Generator().manual_seed(0))


def off_by(rows, nats):
    """An engine that is wrong by so many nats a token, upwards and downwards in turn."""
    signs = itertools.cycle([1, -1])
    return [
        [replace(r, log_prob=x, sampled_log_prob=x) for r, x in zip(row, values, strict=True)]
        for row in rows
        for values in [[r.sampled_log_prob + next(signs) * nats * len(r.tokens) for r in row]]
    ]


def flat(rows):
    return list(itertools.chain.from_iterable(rows))


def scored(lm, rows):
    groups = [Group(prompt, tuple(r.tokens for r in row)) for prompt, row in zip(PROMPTS, rows, strict=True)]
    with torch.no_grad():
        return pytest.approx(log_probs(lm, groups, batch_tokens=1000).tolist(), abs=1e-5)


def test_an_engine_that_is_right_has_no_mismatch(language_model):
    speaker = voice(language_model())
    rows = drawn(speaker)
    kept, found = settled(speaker, PROMPTS, rows, temperature=1.0, batch_tokens=1000)
    assert found.responses == 12
    assert found.mean < 1e-5
    assert found.largest < 1e-5
    assert [r.log_prob for r in flat(kept)] == scored(speaker.lm, rows)


@pytest.mark.parametrize("n", [4, 100])
def test_a_mismatch_is_measured_and_ours_is_kept(language_model, n):
    """Whether all are checked or a share; what was sampled with stays the engine's."""
    speaker = voice(language_model(), n)
    rows = off_by(drawn(speaker), 0.01)
    kept, found = settled(speaker, PROMPTS, rows, temperature=1.0, batch_tokens=1000)
    assert found.responses == 3 * n
    assert found.mean == pytest.approx(0.01, rel=1e-3)
    assert found.largest == pytest.approx(0.01, rel=1e-3)
    assert [r.log_prob for r in flat(kept)] == scored(speaker.lm, rows)
    assert [r.sampled_log_prob for r in flat(kept)] == [r.sampled_log_prob for r in flat(rows)]
    assert [r.tokens for r in flat(kept)] == [r.tokens for r in flat(rows)]


def test_of_many_that_differ_by_rounding_a_share_is_scored(language_model):
    speaker = voice(language_model(), 200)
    rows = off_by(drawn(speaker), 3e-5)
    kept, found = settled(speaker, PROMPTS, rows, temperature=1.0, batch_tokens=10000)
    assert found.responses == 75
    same = [a.log_prob == b.log_prob for a, b in zip(flat(kept), flat(rows), strict=True)]
    assert same == [i % 8 != 0 for i in range(600)]


@pytest.mark.parametrize("n", [4, 100])
def test_at_another_temperature_both_are_right(language_model, n):
    speaker = voice(language_model(), n)
    true = drawn(speaker, 0.6)
    rows = [[replace(r, log_prob=r.sampled_log_prob) for r in row] for row in true]
    kept, found = settled(speaker, PROMPTS, rows, temperature=0.6, batch_tokens=1000)
    assert found.responses == 3 * n
    assert found.largest < 1e-5
    assert [r.log_prob for r in flat(kept)] == pytest.approx([r.log_prob for r in flat(true)], abs=1e-5)
    assert [r.sampled_log_prob for r in flat(kept)] == [r.sampled_log_prob for r in flat(true)]


def test_it_is_scored_with_the_weights_of_the_voice(language_model):
    live = LMPolicy("live", language_model(lora=0.3), Generation())
    old = live.freeze("old")
    speaker = Voice(live.lm, 4, torch.Generator().manual_seed(0), old.in_place)
    rows = drawn(speaker)
    with torch.no_grad():
        for name, weight in live.lm.module.named_parameters():
            if "lora_B" in name:
                weight.neg_()
    assert settled(speaker, PROMPTS, rows, temperature=1.0, batch_tokens=1000)[1].largest < 1e-5
    other = Voice(live.lm, 4, torch.Generator())
    assert settled(other, PROMPTS, rows, temperature=1.0, batch_tokens=1000)[1].mean > BOUND


def test_nothing_drawn_is_nothing_checked(language_model):
    rows = [[], [], []]
    assert settled(voice(language_model(), 0), PROMPTS, rows, temperature=1.0, batch_tokens=9) == (rows, None)


@pytest.mark.parametrize(("mean", "level"), [(0.02, logging.INFO), (0.08, logging.WARNING)])
def test_beyond_the_bound_is_a_warning(caplog, mean, level):
    with caplog.at_level(logging.INFO):
        tell(Mismatch(mean, 0.2, 12), engine="vLLM")
    (record,) = caplog.records
    assert record.levelno == level
    assert f"{mean} nats a token" in record.getMessage()
    assert "12 responses" in record.getMessage()
    assert ("engine: auto" in record.getMessage()) == (level == logging.WARNING)
    tell(Mismatch(0.02, 0.2, 12), engine="vLLM", bound=0.01)
    assert caplog.records[-1].levelno == logging.WARNING

"""A run that can't fit is refused before anything is written; one that fits takes the planned micro-batches."""

from pathlib import Path
from typing import Any

import pytest

from boldly.config.building import build
from boldly.config.prompts import load_prompts
from boldly.config.reading import read_config
from boldly.errors import ConfigError
from boldly.lm.learners import PreferenceLearner
from boldly.runner import footing
from boldly.runner.execute import execute
from boldly.runner.policies import load_model
from tests.support.small import SMALL, write_prompts

KEYS = {**SMALL, "learner": {"name": "preference", "steps": 1, "batch": 16}, "oracle": {"name": "people", "price": 0.5}}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_prompts()


def found(monkeypatch: pytest.MonkeyPatch, bytes_free: int, **keys: Any):
    monkeypatch.setattr(footing, "free", lambda device: bytes_free)
    config = read_config(arguments={**KEYS, **keys})
    prompts, parts = load_prompts(config), build(config)
    lm = load_model(config, prompts)
    return footing.footing(config, parts, lm, prompts), config, parts, lm, prompts


def test_with_room_the_configured_batch_is_taken(monkeypatch: pytest.MonkeyPatch):
    fit, *rest = found(monkeypatch, 2**40)
    assert (fit.train_tokens, fit.sample_tokens, fit.checkpointing) == (1024, 16384, False)
    assert footing.settle(*rest).batch_tokens == 16384


def test_less_room_gives_the_largest_half_that_fits_and_the_run_takes_it(monkeypatch: pytest.MonkeyPatch):
    roomy, *_ = found(monkeypatch, 2**40)
    held = roomy.footprint.held + roomy.footprint.gradients
    room = int(held + 0.4 * roomy.footprint.micro_batch)
    fit, *rest = found(monkeypatch, int(room / footing.USABLE) - roomy.footprint.weights)
    assert fit.footprint.peak <= fit.room
    assert fit.train_tokens < 1024
    settled = footing.settle(*rest)
    learner = rest[1].learner
    assert isinstance(learner, PreferenceLearner)
    assert learner.descent.batch_tokens == fit.train_tokens
    assert settled.batch_tokens == fit.sample_tokens


def test_what_can_not_fit_is_refused_before_anything_is_written(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(footing, "free", lambda device: 1_000_000)
    before = {path.name for path in Path().iterdir()}
    with pytest.raises(ConfigError, match=r"GB at least.*`adapter: \{rank: 16\}`.*max_tokens: 4.*smaller model"):
        execute(read_config(arguments=KEYS))
    assert {path.name for path in Path().iterdir()} == before

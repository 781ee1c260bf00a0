import sys
from typing import get_args

import pytest

from boldly.config.schema import GenerationConfig
from boldly.errors import MissingExtra
from boldly.lm.engines import ENGINES, Draws, engine, protocol
from boldly.lm.sampling import sample


def test_a_configuration_names_the_engines():
    assert get_args(GenerationConfig.model_fields["engine"].annotation) == ENGINES


@pytest.mark.parametrize("name", ["auto", "plain", "native"])
def test_the_built_in_engine(name):
    assert engine(name) is sample
    assert isinstance(sample, Draws)


def test_vllm_that_is_not_installed_says_what_to_write(monkeypatch):
    monkeypatch.setattr(protocol, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'boldly\[vllm\]'.*engine: auto"):
        engine("vllm")


def test_vllm_is_not_imported_to_choose_it(monkeypatch):
    monkeypatch.setattr(protocol, "find_spec", lambda name: object())
    assert isinstance(engine("vllm"), Draws)
    assert "vllm" not in sys.modules

"""Where an error of a model or an oracle says that it was set."""

from pathlib import Path

import pytest

from boldly.config.problems import placed
from boldly.config.reading import read_settings
from boldly.errors import ModelError, OracleError, PromptsError

FILE = "seed: 1\nmodel: some/where\nbudget: 64\n"


def message(error: Exception, **layers: object) -> str:
    _, settings = read_settings(**layers)  # pyright: ignore[reportArgumentType]
    with pytest.raises(type(error)) as caught, placed(settings):
        raise error
    return str(caught.value)


def test_an_error_begins_with_the_place_of_its_key(tmp_path: Path):
    file = tmp_path / "run.yaml"
    file.write_text(FILE)
    assert message(ModelError("no."), file=file) == f"{file}:2: `model`: no."
    assert message(ModelError("no."), flags={"model": "x"}) == "--model: no."
    assert message(ModelError("no."), environment={"BOLDLY_MODEL": "x"}) == "BOLDLY_MODEL: no."
    assert message(ModelError("no."), arguments={"model": "x"}) == "argument model: no."
    oracle = {"oracle": "program", "oracle.function": "a.py:f"}
    assert message(OracleError("no."), flags=oracle) == "--oracle.function: no."


def test_what_nobody_set_and_what_names_its_place_already_stay_as_they_are():
    assert message(ModelError("no.")) == "no."
    assert message(OracleError("no.")) == "no."
    assert message(PromptsError("p.jsonl:1: no."), flags={"model": "x"}) == "p.jsonl:1: no."

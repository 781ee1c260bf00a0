import runpy
from pathlib import Path

import pytest

from boldly.cli import main
from boldly.config.building import build_oracle
from boldly.config.layers import recipe_names
from boldly.config.reading import read_config
from boldly.types import Preference, Prompt, Query, Response


def response(text: str) -> Response:
    return Response(text, tuple(text.encode()), "iterate-0", -1.0, -1.0)


@pytest.mark.parametrize("recipe", recipe_names())
def test_what_it_writes_is_a_configuration_that_works(recipe: str, capsys: pytest.CaptureFixture[str]):
    assert main(["init", "--model", "my-model", "--prompts", "data/p.csv", "--recipe", recipe]) == 0
    assert "boldly run --config run.yaml" in capsys.readouterr().out
    config = read_config(Path("run.yaml"))
    assert (config.recipe, config.model, config.prompts, config.budget) == (recipe, "my-model", "data/p.csv", 256)
    assert config.adapter is not None
    assert config.learner.options["learning_rate"] == 1e-4
    query = Query(Prompt("2+2?", {"answer": 4}), response("it is 4"), response("no idea"), 0, 0)
    (said,) = build_oracle(config.oracle)([query])
    verdict = said.verdict
    assert verdict == Preference(1.0)


def test_both_of_the_oracles_functions_work():
    assert main(["init"]) == 0
    functions = runpy.run_path("oracle.py")
    prompt = Prompt("?")
    assert functions["prefer"](prompt, response("a"), response("longer")) == "a"
    assert functions["reward"](prompt, response("a")) > functions["reward"](prompt, response("longer"))


def test_nothing_is_ever_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    Path("oracle.py").write_text("mine = 1\n")
    assert main(["init", "mine.yaml"]) == 0
    assert Path("oracle.py").read_text() == "mine = 1\n"
    Path("mine.yaml").write_text("budget: 1\n")
    capsys.readouterr()
    assert main(["init", "mine.yaml"]) == 2
    assert "mine.yaml is there already and was not touched" in capsys.readouterr().err
    assert Path("mine.yaml").read_text() == "budget: 1\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["init", "nowhere/run.yaml"], "nowhere/run.yaml can't be written (No such file or directory)"),
        (["init", "--recipe", "xop"], "`recipe` is xop, which is none of"),
    ],
)
def test_what_cant_be_written_is_refused_and_leaves_nothing(
    arguments: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(arguments) == 2
    assert expected in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

from pathlib import Path

import pytest

from boldly.cli.label_words import wanted
from boldly.config.reading import read_config
from boldly.errors import InvalidInput

NEW = ("--recipe=people", "--oracle=people", "--budget=60")
JUDGE = ("--evaluation.oracle=bradley_terry", "--evaluation.oracle.function=boldly.data.task:reward")


def test_a_run_that_is_new_is_the_embedded_default_with_people_as_its_oracle():
    found = wanted(None, [], None)
    assert (found.run, found.new) == (Path("runs/people-seed0"), True)
    assert found.words == (*NEW, *JUDGE, "--output=runs/people-seed0")


def test_its_words_make_the_configuration_that_they_say():
    words = wanted("mine", ["--budget", "20", "--oracle.price", "0.5"], None).words
    config = read_config(flags=dict(word.removeprefix("--").split("=", 1) for word in words))
    assert (config.model, config.prompts, config.recipe, config.budget, config.output) == (
        "bundled",
        "bundled",
        "people",
        20,
        "mine",
    )
    assert (config.oracle.name, config.oracle.options["price"]) == ("people", 0.5)
    assert config.evaluation.oracle is not None
    assert config.evaluation.oracle.options["function"] == "boldly.data.task:reward"
    assert config.learner.options["warmup"] == config.schedule.labels_per_round == 5


def test_keys_may_come_without_a_run_and_name_the_seed():
    found = wanted("--seed", ["3", "--learner.steps=4"], None)
    assert found.run == Path("runs/people-seed3")
    assert found.words == (*NEW, *JUDGE, "--seed=3", "--learner.steps=4", "--output=runs/people-seed3")


def test_prompts_of_ones_own_are_not_judged_by_the_bundled_task():
    assert not set(JUDGE) & set(wanted("mine", ["--prompts", "mine.jsonl"], None).words)
    assert not set(JUDGE) & set(wanted("mine", ["--evaluation.oracle", "self"], None).words)


def test_a_file_says_everything_but_who_labels():
    found = wanted("mine", [], Path("run.yaml"))
    assert found.words == ("--config", "run.yaml", "--oracle=people", "--output=mine")


def test_a_run_that_is_there_goes_on_under_its_configuration(tmp_path: Path):
    (tmp_path / "config.yaml").touch()
    found = wanted(str(tmp_path), [], None)
    assert (found.new, found.changes) == (False, False)
    assert found.words == ("--config", f"{tmp_path}/config.yaml", f"--output={tmp_path}")
    more = wanted(str(tmp_path), ["--budget", "120"], None)
    assert (more.changes, more.words) == (True, (*found.words[:2], "--budget=120", found.words[2]))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--shrae", "ann"], "--shrae: is neither an option of `boldly label` nor a key of a configuration"),
        (["--budgt", "9"], "did you mean `--budget`?"),
        (["--output", "there"], "write `boldly label there`"),
        (["--oracle", "judge"], "people label here; leave it away, or write `boldly run --oracle judge`"),
        (["--oracle.name", "judge"], "people label here"),
        (["more"], "`more` is no flag"),
    ],
)
def test_what_can_not_be_meant_is_refused(words: list[str], expected: str):
    with pytest.raises(InvalidInput) as caught:
        wanted("mine", words, None)
    assert expected in str(caught.value)


def test_a_directory_that_holds_something_else_is_left_alone(tmp_path: Path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InvalidInput, match="holds something that is no run of boldly"):
        wanted(str(tmp_path), [], None)
    with pytest.raises(InvalidInput, match="holds something that is no run of boldly"):
        wanted(str(tmp_path / "thesis.tex"), [], None)
    assert wanted(str(tmp_path / "new"), [], None).new


def test_a_file_of_keys_is_for_new_runs(tmp_path: Path):
    (tmp_path / "config.yaml").touch()
    with pytest.raises(InvalidInput, match="has its configuration: leave `--config"):
        wanted(str(tmp_path), [], Path("run.yaml"))

from pathlib import Path

import pytest

from boldly.config.layers import recipe_names
from boldly.config.reading import read_config
from boldly.config.saving import differences, dump, refuse_changes, refuse_fork, saved_config
from boldly.errors import ConfigError


@pytest.mark.parametrize("recipe", recipe_names())
def test_what_is_kept_reads_back_as_the_same_configuration(recipe: str, tmp_path: Path):
    config = read_config(flags={"recipe": recipe, "seed": "3", "adapter": "{targets: [q_proj, v_proj]}"})
    (tmp_path / "config.yaml").write_text(dump(config), encoding="utf-8")
    assert saved_config(tmp_path) == config


def test_a_directory_without_a_configuration_has_none(tmp_path: Path):
    assert saved_config(tmp_path) is None
    refuse_changes(read_config(), tmp_path)


def test_differences_are_lines_and_what_may_change_is_none():
    old = read_config(flags={"recipe": "xpo"})
    new = read_config(flags={"recipe": "xpo", "seed": "1", "learner.steps": "99", "oracle.seed": "0"})
    assert differences(old, new) == ["seed: 0 -> 1", f"learner.steps: {old.learner.options['steps']} -> 99"]
    free = {
        "recipe": "xpo",
        "budget": "512",
        "output": "elsewhere",
        "report_to": "tensorboard",
        "evaluation.every": "2",
        "evaluation.labels": "64",
        "device": "cpu",
        "checkpointing": "true",
        "threads": "2",
        "generation.batch_tokens": "512",
        "generation.engine": "plain",
        "oracle.price": "0.5",
    }
    assert differences(old, read_config(flags=free)) == []
    assert differences(old, read_config(flags={"recipe": "xpo", "generation.engine": "vllm"})) == [
        "generation.engine: auto -> vllm"
    ]


def test_a_changed_configuration_is_refused_with_the_difference_and_the_flag(tmp_path: Path):
    old = read_config(flags={"recipe": "xpo", "objective.alpha": "0.25"})
    (tmp_path / "config.yaml").write_text(dump(old), encoding="utf-8")
    refuse_changes(read_config(flags={"recipe": "xpo", "objective.alpha": "0.25", "budget": "64"}), tmp_path)
    with pytest.raises(ConfigError) as caught:
        refuse_changes(read_config(flags={"recipe": "passive"}), tmp_path)
    assert "`--fork`" in str(caught.value)
    assert "  recipe: xpo -> passive\n  objective.alpha: 0.25 -> 0" in str(caught.value)


def test_a_fork_keeps_its_model():
    old = read_config(flags={"recipe": "xpo"})
    refuse_fork(old, read_config(flags={"recipe": "online-dpo", "seed": "2"}))
    with pytest.raises(ConfigError, match="`model` changed from bundled to bundled-rare"):
        refuse_fork(old, read_config(flags={"recipe": "xpo", "model": "bundled-rare"}))


def test_how_long_an_oracle_may_take_is_free_and_what_it_is_is_not():
    old = read_config(flags={"oracle": "program", "oracle.function": "a.py:f"})
    patient = {"oracle.timeout": "600", "oracle.workers": "4"}
    assert differences(old, read_config(flags={"oracle": "program", "oracle.function": "a.py:f", **patient})) == []
    other = read_config(flags={"oracle": "program", "oracle.function": "a.py:g"})
    assert differences(old, other) == ["oracle.function: a.py:f -> a.py:g"]


def test_any_oracle_may_take_the_place_of_one_that_only_python_held():
    held = read_config(arguments={"oracle": {"name": "program", "function": "python:<lambda>"}})
    named = read_config(flags={"oracle": "program", "oracle.function": "a.py:f"})
    assert differences(held, named) == []
    assert differences(held, read_config()) == []
    assert differences(named, held) == ['oracle.function: a.py:f -> "python:<lambda>"']


def test_a_run_whose_tracker_is_gone_can_still_be_read(tmp_path: Path):
    config = read_config().model_copy(update={"report_to": ("wandb",)})
    (tmp_path / "config.yaml").write_text(dump(config), encoding="utf-8")
    assert saved_config(tmp_path) == config

"""Recipes: they parse, pair, build, say what they are, and are the methods that they are named after."""

from pathlib import Path

import pytest

from boldly.config.building import build
from boldly.config.layers import recipe_layer, recipe_names, recipe_text
from boldly.config.pairing import notes
from boldly.config.reading import read_config
from boldly.config.schema import PARTS

NAMES = ["default", "iterative-dpo", "online-dpo", "passive", "people", "selm", "vpo", "xpo"]


def test_the_recipes_are_these():
    assert recipe_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_parses_pairs_and_builds_without_a_note(name: str):
    config = read_config(flags={"recipe": name})
    assert config.recipe == name
    assert notes(config) == []
    assert build(config).sampler.policy + build(config).sampler.reference >= 2


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_commented_and_names_method_parts_alone(name: str):
    """What depends on the model's size (rates, lengths), on the task or on the purse is no recipe's."""
    assert recipe_text(name).startswith("# ")
    allowed = {*PARTS, "hypotheses", "schedule"} - {"oracle"}
    assert set(recipe_layer(name).values) <= allowed
    assert "learning_rate" not in recipe_layer(name).values["learner"]


def test_passive_is_xpo_without_its_bonus_and_nothing_else():
    xpo, passive = (read_config(flags={"recipe": name}).model_dump() for name in ("xpo", "passive"))
    assert xpo["objective"].pop("alpha") > 0
    assert passive["objective"].pop("alpha") == 0
    for config in (xpo, passive):
        del config["recipe"], config["output"]
    assert xpo == passive


def test_people_is_the_default_in_small_rounds_from_the_first_on():
    default, people = (read_config(flags={"recipe": name}).model_dump() for name in ("default", "people"))
    assert people["schedule"].pop("labels_per_round") == people["learner"].pop("warmup") == 5
    assert default["schedule"].pop("labels_per_round") == 16
    assert default["learner"].pop("warmup") == 64
    for config in (default, people):
        del config["recipe"], config["output"]
    assert people == default


def test_xpo_is_algorithm_1():
    config = read_config(flags={"recipe": "xpo"})
    assert config.objective is not None
    assert (config.sampler.name, config.selector.name, config.reference.name) == (
        "policy_and_reference",
        "first_pair",
        "fixed",
    )
    assert (config.objective.name, config.learner.options["history"]) == ("xpo", "all")
    assert config.objective.options["alpha"] / (config.objective.options["beta"] / 2) == pytest.approx(2e-3)


def test_online_dpo_uses_each_label_once():
    config = read_config(flags={"recipe": "online-dpo"})
    learner, schedule = config.learner.options, config.schedule
    assert (config.sampler.name, learner["history"]) == ("policy_twice", "newest")
    assert learner["steps"] * learner["batch"] == schedule.labels_per_round


def test_recipes_travel_with_the_package():
    import boldly

    assert (Path(boldly.__file__).parent / "recipes" / "default.yaml").is_file()

import pytest
import torch

from boldly.config.building import adapter, build, build_oracle, generation, schedule
from boldly.config.layers import recipe_names
from boldly.config.reading import read_config
from boldly.hypotheses import Hypotheses
from boldly.lm.learners import PreferenceLearner, ProjectionLearner
from boldly.lm.load import Adapter
from boldly.lm.model import Generation
from boldly.loop import Schedule
from boldly.objectives import Pairs, xpo
from boldly.oracles import BradleyTerry
from boldly.samplers import Sampler
from boldly.testing import query


def table() -> Pairs:
    return Pairs(*torch.rand(len(Pairs.__dataclass_fields__), 5, generator=torch.Generator().manual_seed(0)))


def test_the_parts_are_those_of_the_configuration():
    flags = {"recipe": "xpo", "objective.alpha": "0.5", "learner.steps": "3", "learner.learning_rate": "0.01"}
    parts = build(read_config(flags=flags))
    assert parts.sampler == Sampler(1, 1)
    assert parts.hypotheses is None
    assert isinstance(parts.learner, PreferenceLearner)
    assert (parts.learner.steps, parts.learner.batch, parts.learner.history) == (3, 32, "all")
    assert parts.learner.descent.learning_rate == 0.01
    assert parts.learner.columns == {"explore"}
    expected = xpo(table(), beta=0.1, alpha=0.5, floor=20)
    assert torch.equal(parts.learner.objective(table()).bonus, expected.bonus)


@pytest.mark.parametrize(("calibration", "columns"), [("explored", {"explore"}), ("preferred", set())])
def test_the_learner_is_told_which_columns_these_options_read(calibration: str, columns: set[str]):
    learner = build(read_config(flags={"recipe": "vpo", "objective.calibration": calibration})).learner
    assert isinstance(learner, PreferenceLearner)
    assert learner.columns == columns


def test_the_default_projects_reward_hypotheses():
    parts = build(read_config())
    assert parts.sampler == Sampler(4, 8)
    assert parts.hypotheses == Hypotheses(members=8, prior=2.5, steps=100, anchor=0.02)
    assert isinstance(parts.learner, ProjectionLearner)


@pytest.mark.parametrize("recipe", recipe_names())
def test_every_recipe_builds_and_agrees_on_hypotheses(recipe: str):
    parts = build(read_config(flags={"recipe": recipe}))
    assert parts.learner.hypotheses <= (parts.hypotheses is not None)


def test_the_oracle_is_the_bundled_tasks():
    oracle = build_oracle(read_config(flags={"oracle.price": "0.5"}).oracle)
    assert isinstance(oracle, BradleyTerry)
    assert (oracle.name, oracle.bound(query())) == ("bradley_terry:boldly.data.task:reward", 0.5)


@pytest.mark.parametrize(
    ("flags", "ahead"),
    [({}, 0), ({"oracle": "people"}, 1), ({"oracle": "people", "labels": "runs/other"}, 0)]
    + [({"oracle": oracle, "schedule.ahead": n}, int(n)) for oracle in ("self", "people") for n in "04"],
)
def test_nobody_but_people_is_asked_ahead_by_itself(flags: dict[str, str], ahead: int):
    assert schedule(read_config(flags=flags)).ahead == ahead


def test_sections_become_what_they_describe():
    flags = {"recipe": "xpo", "schedule.window": "3", "generation.temperature": "0.5", "seed": "4"}
    flags["generation.stop"] = '["\\n", "###"]'
    config = read_config(flags={**flags, "adapter": "{rank: 2, targets: [q_proj]}"})
    assert schedule(config) == Schedule(window=3)
    assert generation(config) == Generation(max_tokens=24, temperature=0.5, stop=("\n", "###"))
    assert adapter(config) == Adapter(rank=2, alpha=32.0, targets=("q_proj",), seed=4)
    assert adapter(read_config()) is None

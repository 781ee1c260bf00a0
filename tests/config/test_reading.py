from pathlib import Path

import pytest

from boldly.config.layers import recipe_layer
from boldly.config.reading import read_config
from boldly.config.schema import RunConfig
from boldly.errors import ConfigError, MissingExtra


def written(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str = "", *, environment: dict[str, str] | None = None, **flags: str) -> list[str]:
    """The lines of the error that a file, an environment and flags end in, without the folder's name."""
    names = {name.replace("__", "."): value for name, value in flags.items()}
    with pytest.raises(ConfigError) as caught:
        read_config(written(folder, text), environment=environment or {}, flags=names)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_nothing_given_is_the_embedded_default():
    config = read_config()
    assert (config.recipe, config.model, config.prompts, config.heldout) == ("default", "bundled", "bundled", "auto")
    assert (config.budget, config.output) == (256, "runs/default-seed0")
    assert config.oracle.name == "bradley_terry"
    assert config.oracle.options["function"] == "boldly.data.task:reward"
    assert config.learner.name == "projection"


def test_flags_win_over_the_environment_that_over_the_file_and_that_over_the_recipe(tmp_path: Path):
    file = written(tmp_path, "recipe: xpo\nseed: 1\nbudget: 100\nlearner:\n  steps: 2\n  batch: 5\n")
    environment = {"BOLDLY_BUDGET": "200", "BOLDLY_LEARNER__BATCH": "6", "BOLDLY_SEED": "2", "HOME": "/"}
    config = read_config(file, environment=environment, flags={"seed": "3"})
    assert (config.recipe, config.budget, config.seed) == ("xpo", 200, 3)
    learner = config.learner.options
    assert (learner["steps"], learner["batch"], learner["history"]) == (2, 6, "all")
    assert config.objective is not None
    assert {"name": "xpo", **config.objective.options} == {"floor": 20.0, **recipe_layer("xpo").values["objective"]}


def test_arguments_from_python_stand_between_file_and_environment(tmp_path: Path):
    file = written(tmp_path, "recipe: xpo\nbudget: 100")
    assert read_config(file, arguments={"budget": 64}).budget == 64
    assert read_config(file, arguments={"budget": 64}, environment={"BOLDLY_BUDGET": "32"}).budget == 32
    with pytest.raises(ConfigError, match=r"argument learner: .*`learner.stepz`.*write `learner=\{'steps': 4\}`"):
        read_config(file, arguments={"learner": {"stepz": 4}})


def test_the_recipe_can_be_named_anywhere_and_the_highest_place_wins(tmp_path: Path):
    file = written(tmp_path, "recipe: selm")
    assert read_config(file).recipe == "selm"
    assert read_config(file, environment={"BOLDLY_RECIPE": "vpo"}).recipe == "vpo"
    assert read_config(file, environment={"BOLDLY_RECIPE": "vpo"}, flags={"recipe": "xpo"}).recipe == "xpo"


def test_a_part_can_be_named_alone_and_a_new_name_starts_its_options_anew():
    config = read_config(flags={"recipe": "xpo", "objective": "dpo", "objective.beta": "0.3"})
    assert config.objective is not None
    assert config.objective.model_dump() == {"name": "dpo", "beta": 0.3}


def test_an_option_beside_the_defaults_oracle_keeps_its_name():
    oracle = read_config(flags={"oracle.scale": "2"}).oracle
    assert (oracle.name, oracle.options["scale"], oracle.options["function"]) == (
        "bradley_terry",
        2.0,
        "boldly.data.task:reward",
    )


def test_null_takes_a_part_away():
    flags = {"recipe": "xpo", "objective": "null", "learner": "projection", "hypotheses": "{members: 4}"}
    config = read_config(flags=flags)
    assert config.objective is None
    assert config.hypotheses is not None
    assert config.hypotheses["members"] == 4
    assert config.hypotheses["steps"] == 100


def test_every_option_of_every_part_is_filled_in():
    config = read_config(flags={"recipe": "online-dpo"})
    assert config.learner.options == {
        "steps": 1,
        "batch": 16,
        "history": "newest",
        "learning_rate": 3e-4,
        "decay_to": 1.0,
        "clip": 1.0,
    }


def test_the_oracle_draws_from_the_runs_seed_unless_it_has_its_own():
    assert read_config(flags={"seed": "7"}).oracle.options["seed"] == 7
    assert read_config(flags={"seed": "7", "oracle.seed": "1"}).oracle.options["seed"] == 1


def test_a_model_of_ones_own_gets_the_rates_and_lengths_of_its_size():
    own = {"recipe": "online-dpo", "model": "my/model"}
    config = read_config(flags=own)
    assert (config.learner.options["learning_rate"], config.generation.max_tokens) == (5e-6, 256)
    assert read_config(flags={**own, "adapter": "{rank: 8}"}).learner.options["learning_rate"] == 1e-4
    given = read_config(flags={**own, "learner.learning_rate": "2e-6", "generation.max_tokens": "99"})
    assert (given.learner.options["learning_rate"], given.generation.max_tokens) == (2e-6, 99)


def test_text_needs_no_quotes_where_a_key_takes_text():
    config = read_config(flags={"output": "2024", "recipe": "xpo", "learner.learning_rate": "1e-4"})
    assert config.output == "2024"
    assert config.learner.options["learning_rate"] == 1e-4


def test_the_floor_may_be_infinite_as_algorithm_1_has_it():
    config = read_config(flags={"recipe": "xpo", "objective.floor": ".inf"})
    assert config.objective is not None
    assert config.objective.options["floor"] == float("inf")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed: 1\nbudgte: 64", "run.yaml:2: `budgte` is no key of a configuration: write `budget: 64`."),
        ("recipe: xop", "run.yaml:1: `recipe` is xop, which is none of default,"),
        ("recipe: xop", "write `recipe: xpo`."),
        ("recipe: [xpo]", "run.yaml:1: `recipe` is [xpo], which is none of"),
        (
            "recipe: xpo\nlearner:\n  stepz: 4",
            "run.yaml:3: `learner.stepz` is no key of `learner`: write `steps: 4`.",
        ),
        (
            "generation: {max_tokns: 3}",
            "run.yaml:1: `generation.max_tokns` is no key of `generation`: write `max_tokens: 3`.",
        ),
        ("hypotheses:\n  membrs: 3", "run.yaml:2: `hypotheses.membrs` is no key of `hypotheses`: write `members: 3`."),
        ("adapter: {rnk: 3}", "run.yaml:1: `adapter.rnk` is no key of `adapter`: write `rank: 3`."),
        (
            "sampler: polcy_twice",
            "run.yaml:1: `sampler` is polcy_twice, which is none of mixture, n_from_policy, policy_and_reference, "
            "policy_twice: write `name: policy_twice`.",
        ),
        ("budget: many", "run.yaml:1: `budget` is many, but it has to be a whole number: write `budget: 256`."),
        ("budget: 1.5", "`budget` is 1.5, but it has to be a whole number"),
        ("budget: true", "`budget` is true, but it has to be a whole number"),
        ("budget: '8'", '`budget` is "8", but it has to be a whole number'),
        ("seed: -1", "run.yaml:1: `seed` is -1, but it has to be a number of at least 0: write `seed: 0`."),
        ("threads: 0", "`threads` is 0, but it has to be a number above 0 or auto: write `threads: auto`."),
        (
            'generation: {stop: ["a", ""]}',
            "a list of strings that are not empty, as an empty one ends every response at once",
        ),
        ("generation: {stop: User}", "`generation.stop` is User, but it has to be a list: write `stop: [User]`."),
        ("generation: {stop: [1]}", "`generation.stop` is 1, but it has to be text: write `stop: []`."),
        ("merge: yes", "`merge` is yes, but it has to be true or false: write `merge: false`."),
        ("chat: 1", "`chat` is 1, but it has to be true or false or auto: write `chat: auto`."),
        ("device: cdua", "`device` is cdua, but it has to be auto, cpu, cuda, cuda:1 or mps: write `device: auto`."),
        ("report_to: [wandbb]", "but it has to be tensorboard, wandb or trackio: write `report_to: [wandb]`."),
        ("learner: 3", "`learner` is 3, but it has to be a mapping of keys: write `learner: projection`."),
        (
            "objective: [1]",
            "`objective` is [1], but it has to be a mapping of keys: write `objective: {name: dpo, beta",
        ),
        ("hypotheses: 4", "`hypotheses` is 4, but it has to be a mapping of keys: write `hypotheses: {}`."),
        ("generation: 7", "`generation` is 7, but it has to be a mapping of keys: write `generation: {max_tokens: 24,"),
        (
            "schedule: {labels_per_round: 0}",
            "`schedule.labels_per_round` is 0, but it has to be a number above 0: write `labels_per_round: 16`.",
        ),
        (
            "recipe: xpo\nobjective:\n  alpha: -1",
            "run.yaml:3: `objective.alpha` is -1, but it has to be a number of at least 0: write `alpha: 0.0001`.",
        ),
        ("recipe: xpo\nobjective: {alpha: .nan}", "`objective.alpha` is .nan, but it has to be a number"),
        ("recipe: xpo\nobjective: {alpha: .inf}", "`objective.alpha` is .inf, but it has to be a finite number"),
        (
            "reference: {name: moving_average, tau: 3}",
            "`reference.tau` is 3, but it has to be a number of at most 1: write `tau: 0.1`.",
        ),
        ("recipe: xpo\nobjective: {name: ipo, tau: 0}", "`objective.tau` is 0, but it has to be a number above 0"),
        (
            "recipe: xpo\nlearner: {history: sme}",
            "`learner.history` is sme, but it has to be all or newest: write `history: all`.",
        ),
        (
            "recipe: xpo\nobjective: dpo",
            "run.yaml:2: `objective.beta` is not given: write `objective: {name: dpo, beta: 0.1}`.",
        ),
        (
            "oracle: program",
            "run.yaml:1: `oracle.function` is not given: write `oracle: {name: program, function: oracle.py:reward}`.",
        ),
    ],
)
def test_what_cant_be_is_refused_with_file_line_key_and_the_line_to_write(text: str, expected: str, tmp_path: Path):
    lines = refusal(tmp_path, text)
    assert len(lines) == 1
    assert expected in lines[0]


def test_every_problem_has_a_line_of_its_own(tmp_path: Path):
    lines = refusal(tmp_path, "budget: many\nseed: -1\nlearner: {stepz: 3}\nzzz: 1")
    assert [line.split(":")[1] for line in lines] == ["1", "2", "4", "3"]


def test_a_flag_and_a_variable_are_named_as_they_were_written(tmp_path: Path):
    assert refusal(tmp_path, recipe="xpo", learner__stepz="4") == [
        "--learner.stepz: `learner.stepz` is no key of `learner`: write `--learner.steps 4`."
    ]
    assert refusal(tmp_path, environment={"BOLDLY_LEARNER__STEPZ": "4"}) == [
        "BOLDLY_LEARNER__STEPZ: `learner.stepz` is no key of `learner`: write `BOLDLY_LEARNER__STEPS=4`."
    ]
    assert refusal(tmp_path, environment={"BOLDLY_BUDGTE": "4"}) == [
        "BOLDLY_BUDGTE: `budgte` is no key of a configuration: write `BOLDLY_BUDGET=4`."
    ]
    assert refusal(tmp_path, environment={"BOLDLY_SEED": "{"})[0].startswith("BOLDLY_SEED:1: is not YAML")
    assert refusal(tmp_path, recipe="xpo", objective="dpo") == [
        "--objective: `objective.beta` is not given: write `--objective.beta 0.1`."
    ]


def test_a_tracker_that_is_not_installed_is_refused_with_the_line_that_installs_it():
    with pytest.raises(MissingExtra, match=r"pip install 'boldly\[wandb\]'"):
        read_config(flags={"report_to": "wandb"})


def test_a_configuration_cant_be_changed():
    config = read_config()
    assert isinstance(config, RunConfig)
    with pytest.raises(ValueError, match="frozen"):
        config.budget = 3  # pyright: ignore[reportAttributeAccessIssue]

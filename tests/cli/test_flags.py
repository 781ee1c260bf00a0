import pytest

from boldly.cli.flags import texts
from boldly.cli.run import run
from boldly.config.reading import read_config
from boldly.config.schema import PART_KEYS, RunConfig
from boldly.errors import ConfigError


def test_flags_are_dotted_names_with_their_texts():
    given = texts(
        {"budget": "64", "schedule__labels_per_round": "8", "merge": True, "seed": None},
        ["--learner.steps", "-3", "--objective.alpha=1e-4", "--prompt-column", "question"],
    )
    assert given == {
        "budget": "64",
        "schedule.labels_per_round": "8",
        "merge": "true",
        "learner.steps": "-3",
        "objective.alpha": "1e-4",
        "prompt_column": "question",
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run.yaml"], "`run.yaml` is no flag: write `--config run.yaml`"),
        (["yes"], "`yes` is no flag: write `--key value` (a flag that switches something on has no value)."),
        (["-x"], "`-x` is no flag"),
        (["--learner.steps"], "--learner.steps: has no value: write `--learner.steps VALUE`."),
        (["--learner.steps", "--learner.batch", "3"], "--learner.steps: has no value"),
        (["--a", "1", "--a=2"], "--a: is given twice"),
        (["--budget", "3"], "--budget: is given twice"),
    ],
)
def test_what_is_no_flag_is_refused(words: list[str], expected: str):
    with pytest.raises(ConfigError) as caught:
        texts({"budget": "64"}, words)
    assert expected in str(caught.value)


def test_every_key_of_a_configuration_is_a_listed_flag():
    import inspect

    listed = {name.split("__")[0] for name in inspect.signature(run).parameters}
    assert set(RunConfig.model_fields) <= listed


NAMES = {"oracle": "people", "sampler": "policy_twice", "selector": "random_pair", "reference": "previous"}
NAMES |= {"objective": "ipo", "learner": "preference"}


@pytest.mark.parametrize("key", PART_KEYS)
def test_a_part_is_named_by_a_flag_of_its_key_alone(key: tuple[str, ...]):
    """`--oracle people` says what `--oracle.name people` says, for every part, listed or not."""
    others = {"recipe": "online-dpo"} | ({"objective.tau": "0.1"} if key == ("objective",) else {})
    flags = others | {".".join(key): NAMES[key[-1]]}
    found = read_config(flags=flags).model_dump()
    for word in key:
        found = found[word]
    assert found["name"] == NAMES[key[-1]]
    named = others | {f"{'.'.join(key)}.name": NAMES[key[-1]]}
    assert read_config(flags=flags) == read_config(flags=named)


def test_a_part_takes_its_options_beside_its_name_in_any_order():
    for words in (["--oracle", "people", "--oracle.price", "0.5"], ["--oracle.price=0.5", "--oracle=people"]):
        oracle = read_config(flags=texts({}, words)).oracle
        assert (oracle.name, oracle.options["price"]) == ("people", 0.5)
    assert read_config(environment={"BOLDLY_ORACLE": "people"}).oracle.name == "people"

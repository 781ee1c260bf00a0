import pytest

from boldly.config.pairing import notes
from boldly.config.reading import read_config
from boldly.errors import ConfigError


def refusal(**flags: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_config(flags={name.replace("__", "."): value for name, value in flags.items()})
    return str(caught.value).splitlines()


@pytest.mark.parametrize("objective", ["xpo", "selm", "vpo"])
def test_a_bonus_needs_a_response_of_the_reference(objective: str):
    part = f"{{name: {objective}, beta: 0.1, alpha: 0.001}}"
    (line,) = refusal(recipe="xpo", objective=part, sampler="policy_twice")
    assert line.startswith("--sampler: ")
    assert f"the bonus of `{objective}` is taken on a response that the reference drew" in line
    assert line.endswith("write `--sampler policy_and_reference`.")
    flags = {"recipe": "xpo", "objective": part, "sampler": "policy_twice", "reference": "previous"}
    assert read_config(flags=flags).reference.name == "previous"
    assert read_config(flags={**flags, "reference": "fixed", "sampler": "{name: mixture, reference: 1}"})


def test_vpo_on_the_preferred_response_needs_none_of_the_reference():
    part = "{name: vpo, beta: 0.1, alpha: 0.001, sign: -1, calibration: %s}"
    flags = {"recipe": "xpo", "sampler": "policy_twice"}
    config = read_config(flags={**flags, "objective": part % "preferred"})
    assert config.objective is not None
    assert config.objective.options["calibration"] == "preferred"
    (line,) = refusal(**flags, objective=part % "explored")
    assert line.endswith("write `--sampler policy_and_reference`.")
    (line,) = refusal(**flags, objective=part % "chosen")
    assert "explored" in line
    assert "preferred" in line


@pytest.mark.parametrize("sampler", ["policy_twice", "policy_and_reference"])
def test_an_objective_whose_columns_no_label_fills_is_refused(sampler: str):
    (line,) = refusal(recipe="xpo", objective="{name: rebel, eta: 1.0}", sampler=sampler)
    assert line.startswith("--objective: `rebel` reads the reward of each response")
    assert line.endswith("write `--objective '{name: dpo, beta: 0.1}'`.")


def test_an_objective_without_a_bonus_pairs_with_any_sampler():
    flags = {"recipe": "xpo", "objective": "{name: dpo, beta: 0.1}", "sampler": "policy_twice"}
    assert read_config(flags=flags).sampler.name == "policy_twice"


def test_a_learner_with_a_loss_of_its_own_refuses_an_objective_and_the_other_needs_one():
    (line,) = refusal(recipe="xpo", learner="projection", hypotheses="{}")
    assert line.startswith("--learner: the learner `projection` has a loss of its own and would never read `xpo`")
    assert line.endswith("write `--objective null`.")
    (line,) = refusal(recipe="default", learner="preference")
    assert "the learner `preference` fits an objective, but `objective` is null" in line
    assert line.endswith("write `--objective '{name: dpo, beta: 0.1}'`.")


@pytest.mark.parametrize("selector", ["thompson", "optimistic", "best_and_worst"])
def test_who_decides_by_hypotheses_needs_them(selector: str):
    (line,) = refusal(recipe="xpo", selector=selector)
    assert f"the selector `{selector}` decides by reward hypotheses, but none are fitted" in line
    assert line.endswith("write `--hypotheses '{}'`.")
    assert read_config(flags={"recipe": "xpo", "selector": selector, "hypotheses": "{}"}).hypotheses is not None


def test_the_projection_needs_hypotheses_and_a_pool_with_the_references_responses():
    (line,) = refusal(hypotheses="null", selector="random_pair")
    assert "the learner `projection` decides by reward hypotheses" in line
    (line,) = refusal(sampler="n_from_policy")
    assert "weighs a pool by responses that the reference drew" in line


@pytest.mark.parametrize("ahead", [{"schedule__ahead": "1"}, {"oracle": "people"}])
def test_a_pool_of_the_newest_reference_can_not_be_drawn_ahead(ahead: dict[str, str]):
    (line,) = refusal(reference="previous", **ahead)
    assert "drawn by an earlier reference" in line
    assert line.endswith("write `--schedule.ahead 0`.")
    for reference in ("fixed", "{name: moving_average, tau: 0.0}"):
        named = {name.replace("__", "."): value for name, value in ahead.items()}
        assert read_config(flags={**named, "reference": reference}).ahead == 1
    assert read_config(flags={"reference": "previous", "oracle": "people", "schedule.ahead": "0"}).ahead == 0
    assert read_config(flags={"recipe": "selm", "schedule.ahead": "1"}).reference.name == "previous"


def test_an_implicit_margin_against_the_policy_itself_is_refused():
    (line,) = refusal(recipe="iterative-dpo", selector="best_and_worst_implicit")
    assert "is 0 for every response" in line
    assert read_config(flags={"recipe": "online-dpo", "selector": "best_and_worst_implicit"})


def test_a_budget_below_one_round_or_below_the_warm_up_is_refused():
    assert refusal(recipe="xpo", budget="15") == [
        "--budget: `budget` is 15, less than the 16 labels of one round: write `--budget 16`."
    ]
    assert read_config(flags={"recipe": "xpo", "budget": "16"}).budget == 16
    (line,) = refusal(budget="63")
    assert line.startswith("--budget: `budget` is 63, and the learner waits for 64 labels, so it would never learn")
    assert line.endswith("write `--budget 64`.")
    assert read_config(flags={"budget": "64"}).budget == 64


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"sampler__policy": "-1"}, "the sampler draws -1 + 8 responses a prompt"),
        (
            {"recipe": "xpo", "sampler": "mixture", "sampler__policy": "1", "sampler__reference": "0"},
            "a query needs two",
        ),
        ({"recipe": "vpo", "objective__sign": "3"}, "vpo's sign is 3"),
        ({"recipe": "xpo", "objective": "{name: robust_dpo, beta: 0.1, flip: 0.5}"}, "flip is 0.5"),
        ({"recipe": "xpo", "objective": "{name: conservative_dpo, beta: 0.1, flip: 0.7}"}, "flip is 0.7"),
    ],
)
def test_bounds_that_only_the_method_knows_are_found_on_reading(flags: dict[str, str], expected: str):
    (line,) = refusal(**flags)
    assert expected in line
    assert "can't take these options" in line


def test_own_prompts_need_an_own_oracle():
    (line,) = refusal(prompts="mine.jsonl")
    assert line.startswith("--prompts: ")
    assert line.endswith("write `--oracle '{name: program, function: oracle.py:reward}'`.")
    flags = {"prompts": "mine.jsonl", "oracle.function": "boldly.data.task:reward"}
    assert read_config(flags=flags).prompts == "mine.jsonl"


def test_merging_needs_adapters():
    assert refusal(merge="true") == [
        "--merge: there are no adapters to merge, as `adapter` is null: write `--adapter '{rank: 16}'`."
    ]
    assert read_config(flags={"merge": "true", "adapter": "{}"}).merge


def test_what_is_allowed_but_odd_is_noted():
    assert notes(read_config()) == []
    assert "temperature is 0.7" in notes(read_config(flags={"generation.temperature": "0.7"}))[0]
    assert "hypotheses: null" in notes(read_config(flags={"recipe": "xpo", "hypotheses": "{}"}))[0]

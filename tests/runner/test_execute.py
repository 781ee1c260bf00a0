"""The whole job on the bundled default, small: what it leaves behind, and that nothing can be lost or bought twice."""

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

import boldly
from boldly import data, loop
from boldly.config.reading import read_config
from boldly.data import base_directory
from boldly.data.task import reward as style_reward
from boldly.errors import ConfigError, OracleError, OracleUnavailable, PromptsError
from boldly.ledger.sql import SqlLedger
from boldly.lm.load import load
from boldly.oracles import Program
from boldly.runner import RunDirectory, execute, load_result

SMALL = {
    "budget": 24,
    "schedule": {"labels_per_round": 8, "prompts_per_label": 2},
    "evaluation": {"prompts": 16},
    "generation": {"max_tokens": 12},
    "hypotheses": {"members": 3, "steps": 20},
    "learner": {"name": "projection", "warmup": 8, "steps": 2, "batch": 8},
    "sampler": {"name": "mixture", "policy": 2, "reference": 2},
}
XPO = {
    "recipe": "xpo",
    "budget": 24,
    "schedule": {"labels_per_round": 8},
    "evaluation": {"prompts": 16},
    "generation": {"max_tokens": 12},
    "learner": {"name": "preference", "steps": 2, "batch": 8},
}

DEFAULT_AHEAD = SMALL | {"schedule": SMALL["schedule"] | {"ahead": 1}}

GRADER = """
import json, sys, time
for line in sys.stdin:
    asked = json.loads(line)
    time.sleep(0.02)
    print(json.dumps({"id": asked["id"], "score": -len(asked["response"])}), flush=True)
"""
AWAY = XPO | {
    "schedule": {"labels_per_round": 8, "ahead": 1},
    "evaluation": {"prompts": 8},
    "oracle": {"name": "program", "command": [sys.executable, "-c", GRADER], "answers": "scores", "lasting": True},
}


def labels(root):
    ledger = SqlLedger(RunDirectory(root).ledger, read_only=True)
    try:
        return [(label.sequence, label.query.id, label.verdict) for label in ledger.labels()]
    finally:
        ledger.close()


def measured(root):
    """What was recorded of every iterate but time, and attempts, of which a killed process leaves some more."""
    lines = [json.loads(line) for line in RunDirectory(root).metrics.read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("seconds", "bought")} for line in lines]


def weights(root):
    return load_file(RunDirectory(root).model / "model.safetensors")


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def default_run(tmp_path_factory):
    root = tmp_path_factory.mktemp("default") / "run"
    return boldly.run(**SMALL, output=str(root))


@pytest.fixture(scope="module")
def xpo_run(tmp_path_factory):
    root = tmp_path_factory.mktemp("xpo") / "run"
    return boldly.run(**XPO, output=str(root))


@pytest.fixture(scope="module")
def default_ahead_run(tmp_path_factory):
    root = tmp_path_factory.mktemp("default_ahead") / "run"
    return boldly.run(**DEFAULT_AHEAD, output=str(root))


@pytest.fixture(scope="module")
def away_run(tmp_path_factory):
    """A run whose labels are bought of a command beside everything else."""
    root = tmp_path_factory.mktemp("away") / "run"
    return boldly.run(**AWAY, output=str(root))


def test_labels_bought_beside_everything_else_leave_the_same_run(away_run, tmp_path, monkeypatch):
    module = importlib.import_module("boldly.runner.execute")
    assert module.answers_elsewhere(module.answering(read_config(arguments=AWAY)).training)
    monkeypatch.setattr(module, "answers_elsewhere", lambda oracle: False)
    alone = boldly.run(**AWAY, output=str(tmp_path / "run"))
    assert measured(alone.run) == measured(away_run.run)
    assert [line["staleness"] for line in measured(away_run.run)] == [0, 0, 1, 1]
    assert labels(alone.run) == labels(away_run.run)
    assert same(weights(alone.run), weights(away_run.run))
    assert "The oldest policy that drew a round was 1 older" in RunDirectory(away_run.run).report.read_text()


def test_a_run_leaves_a_model_a_ledger_and_a_report(default_run):
    run = RunDirectory(default_run.run)
    for path in (run.config, run.ledger, run.metrics, run.samples, run.result, run.report, run.model / "README.md"):
        assert path.stat().st_size > 0, path
    assert len(labels(run.root)) == default_run.labels == 24
    assert load(run.model).module.num_parameters() == load(base_directory()).module.num_parameters()
    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    assert [line["iterate"] for line in lines] == [0, 1, 2, 3]
    assert [line["labels"] for line in lines] == [0, 8, 16, 24]


def test_held_out_answers_are_the_policys_own_whatever_the_loop_samples_at(xpo_run, tmp_path):
    """Nothing is learned in iterate 0, so its evaluation must be the one at temperature 1 to the last bit."""
    keys = XPO | {"budget": 8, "generation": {"max_tokens": 12, "temperature": 0.3}}
    cold = boldly.run(**keys, output=str(tmp_path / "run"))
    assert measured(cold.run)[0]["evaluation"] == measured(xpo_run.run)[0]["evaluation"]


def test_the_best_iterate_is_the_one_returned(default_run):
    run = RunDirectory(default_run.run)
    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    rewards = [line["evaluation"]["reward"]["value"] for line in lines]
    assert default_run.reward.value == max(rewards)
    assert rewards[default_run.best] == max(rewards)
    if default_run.best:
        kept = load_file(run.iterates / f"{default_run.best:04d}" / "model.safetensors")
        assert same(kept, weights(run.root))


def test_the_same_seed_gives_the_same_bits(default_run, tmp_path):
    again = boldly.run(**SMALL, output=str(tmp_path / "again"))
    assert labels(again.run) == labels(default_run.run)
    assert same(weights(again.run), weights(default_run.run))


def test_a_finished_run_is_not_run_again(default_run):
    before = RunDirectory(default_run.run).ledger.stat().st_mtime_ns
    again = boldly.run(**SMALL, output=str(default_run.run))
    assert again.resumed
    assert (again.labels, again.reward) == (default_run.labels, default_run.reward)
    assert RunDirectory(default_run.run).ledger.stat().st_mtime_ns == before


def test_more_budget_goes_on_where_the_run_ended(xpo_run, tmp_path):
    more = XPO | {"budget": 32}
    first = boldly.run(**XPO, output=str(tmp_path / "run"))
    bought = labels(first.run)
    assert len(bought) == 24
    result = boldly.run(**more, output=str(tmp_path / "run"))
    assert result.labels == 32
    assert labels(result.run)[:24] == bought


def test_alpha_0_is_passive_bit_for_bit(tmp_path):
    by_hand = XPO | {"objective": {"name": "xpo", "alpha": 0.0}}
    first = boldly.run(**by_hand, output=str(tmp_path / "xpo"))
    second = boldly.run(**(XPO | {"recipe": "passive"}), output=str(tmp_path / "passive"))
    assert labels(first.run) == labels(second.run)
    for name in ("0001", "0002", "0003"):
        one, two = (load_file(r.run / "iterates" / name / "model.safetensors") for r in (first, second))
        assert same(one, two)


def test_the_bonus_changes_what_is_learned(xpo_run, tmp_path):
    strong = boldly.run(**(XPO | {"objective": {"name": "xpo", "alpha": 0.05}}), output=str(tmp_path / "strong"))
    one, two = (load_file(r.run / "iterates" / "0003" / "model.safetensors") for r in (xpo_run, strong))
    assert not same(one, two)


CHILD = """
import json, sys
import boldly
boldly.run(**json.loads(sys.argv[1]))
"""


def start(keys):
    environment = os.environ | {"PYTHONPATH": str(Path(boldly.__file__).parents[1])}
    return subprocess.Popen([sys.executable, "-c", CHILD, json.dumps(keys)], env=environment, stderr=subprocess.PIPE)


def files(root):
    """The files of a run that goes on, and when each was changed; one may be gone before it is looked at."""
    found = []
    for folder, _, names in os.walk(root):  # which passes over a folder that is gone before it is opened
        for name in names:
            with suppress(FileNotFoundError):
                path = os.path.join(folder, name)
                found.append((path, os.stat(path).st_mtime_ns))
    return sorted(found)


OFTEN = (1, 3, 6, 10, 16)


@pytest.mark.parametrize(
    ("keys", "whole", "kills_at"),
    [
        pytest.param(DEFAULT_AHEAD, "default_ahead_run", OFTEN, marks=pytest.mark.slow),
        pytest.param(AWAY, "away_run", OFTEN, marks=pytest.mark.slow),
        pytest.param(XPO, "xpo_run", (9,)),
    ],
    ids=["default ahead", "bought beside", "xpo once"],
)
def test_killed_at_any_moment_and_started_again_ends_as_an_uninterrupted_run(keys, whole, kills_at, request, tmp_path):
    """SIGKILL each time the run's files have changed a little more, until one start gets through to the end."""
    whole = request.getfixturevalue(whole)
    root, kills = tmp_path / "run", 0
    for kill_at in (*kills_at, 10**9):
        child = start(keys | {"output": str(root)})
        changes, last = 0, None
        while child.poll() is None and changes < kill_at:
            state = files(root)
            changes += state != last
            last = state
            time.sleep(0.02)
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            kills += 1
        errors = child.communicate()[1].decode()
        assert child.returncode in (0, -signal.SIGKILL), errors
    assert child.returncode == 0
    assert kills > len(kills_at) // 2
    assert measured(root) == measured(whole.run)
    assert labels(root) == labels(whole.run)
    assert same(weights(root), weights(whole.run))
    assert load_result(RunDirectory(root)).reward == whole.reward


def test_a_changed_configuration_is_refused_with_the_difference_and_the_flag(xpo_run):
    changed = XPO | {"objective": {"name": "xpo", "beta": 0.3}}
    with pytest.raises(ConfigError, match=r"(?s)--fork.*objective\.beta: .* -> 0\.3"):
        boldly.run(**changed, output=str(xpo_run.run))


def test_a_fork_goes_on_from_the_labels_and_leaves_the_first_run_alone(xpo_run):
    before = {path: path.stat().st_mtime_ns for path in xpo_run.run.rglob("*") if path.is_file()}
    changed = XPO | {"objective": {"name": "xpo", "beta": 0.3}, "budget": 32}
    forked = boldly.run(**changed, output=str(xpo_run.run), fork=True)
    assert forked.run == xpo_run.run.with_name("run-fork-1")
    assert labels(forked.run)[:24] == labels(xpo_run.run)
    assert forked.labels == 32
    assert {path: path.stat().st_mtime_ns for path in xpo_run.run.rglob("*") if path.is_file()} == before
    assert yaml.safe_load(RunDirectory(forked.run).config.read_text())["objective"]["beta"] == 0.3


def test_a_directory_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match="--output"):
        boldly.run(**XPO, output=str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_oracle_without_a_reward_chooses_the_best_by_bought_win_rates(tmp_path):
    def prefer(prompt, a, b):
        return len(a.text) > len(b.text)

    keys = XPO | {"evaluation": {"prompts": 16, "labels": 40}}
    result = boldly.run(**keys, oracle=prefer, output=str(tmp_path / "run"))
    assert result.reward is None
    assert result.chosen_by == "win_rate"
    ledger = SqlLedger(RunDirectory(result.run).ledger)
    assert 0 < ledger.spent("evaluation").labels <= 40
    assert ledger.spent("training").labels == 24
    ledger.close()


def test_an_oracle_without_a_reward_and_evaluation_labels_returns_the_newest(tmp_path):
    result = boldly.run(**XPO, oracle=lambda prompt, a, b: 0.5, output=str(tmp_path / "run"))
    assert (result.chosen_by, result.best, result.win_rate) == ("newest", 3, None)


def test_failures_are_recorded_and_never_become_preferences(tmp_path):
    calls = []

    def reward(prompt, response):
        calls.append(prompt)
        if len(calls) % 5 == 0:
            raise RuntimeError("out of order")
        return float(len(response.text))

    result = boldly.run(**XPO, oracle=reward, output=str(tmp_path / "run"))
    ledger = SqlLedger(RunDirectory(result.run).ledger)
    spent = ledger.spent()
    assert spent.failed > 0
    assert spent.labels == 24
    ledger.close()


def first_run(tmp_path, **keys):
    return boldly.run(**(XPO | {"budget": 8} | keys), output=str(tmp_path / "run"))


def says(run):
    return yaml.safe_load(RunDirectory(run).config.read_text())["oracle"]


def test_the_configuration_names_a_function_that_can_be_imported(tmp_path):
    result = first_run(tmp_path, oracle=style_reward)
    assert says(result.run)["function"] == "boldly.data.task:reward"
    flags = XPO | {"budget": 16, "oracle": {"name": "program", "function": "boldly.data.task:reward"}}
    assert boldly.run(**flags, output=str(result.run)).labels == 16


def test_an_oracle_that_only_python_holds_is_no_other_oracle(tmp_path):
    def reward(prompt, response):
        return float(len(response.text))

    result = first_run(tmp_path, oracle=reward)
    assert says(result.run)["function"].startswith("python:test_an_oracle_that")
    with pytest.raises(OracleError, match=r"call `boldly.run` there again, .*--oracle.function oracle.py:prefer"):
        execute(read_config(RunDirectory(result.run).config, arguments={"budget": 16}))
    assert boldly.run(**(XPO | {"budget": 16}), oracle=reward, output=str(result.run)).labels == 16
    named = {"name": "program", "function": "boldly.data.task:reward"}
    assert boldly.run(**XPO, oracle=named, output=str(result.run)).labels == 24
    assert says(result.run)["function"] == "boldly.data.task:reward"


def test_own_prompts_with_a_function_from_python_need_no_line_about_the_oracle(tmp_path):
    prompts = tmp_path / "p.jsonl"
    prompts.write_text("".join(json.dumps({"prompt": p.text, **p.facts}) + "\n" for p in data.prompts()[:40]))
    result = first_run(tmp_path, prompts=str(prompts), oracle=lambda prompt, response: float(len(response.text)))
    assert result.labels == 8


def test_labels_that_prefer_nothing_are_told(tmp_path):
    notes = []
    first_run(tmp_path, oracle=lambda prompt, a, b: None, observe=lambda progress: notes.append(progress.note))
    assert "round 0: not one label says which response is better (abstention 8), so it taught nothing." in notes


def test_a_run_that_ends_before_its_budget_says_why(tmp_path, monkeypatch):
    """As where a policy came to say one thing alone: after one round there are no further pairs."""
    notes, rounds = [], loop.rounds
    monkeypatch.setattr(sys.modules["boldly.runner.execute"], "rounds", lambda *given: islice(rounds(*given), 1))
    result = first_run(tmp_path, budget=16, observe=lambda progress: notes.append(progress.note))
    assert result.labels == 8
    (note,) = (note for note in notes if note.startswith("ended after 8 of 16 labels: round 1 found no two responses"))
    assert "write `" in note


def test_an_oracle_whose_reward_fails_stops_before_anything_is_bought(tmp_path):
    with pytest.raises(OracleUnavailable, match=r"TimeoutError: timed out after 0.05 s"):
        first_run(tmp_path, oracle=Program(lambda prompt, response: time.sleep(5.0), timeout=0.05))
    assert first_run(tmp_path, oracle=lambda prompt, response: float(len(response.text))).labels == 8


def test_python_feeds_the_trackers_too(tmp_path):
    result = first_run(tmp_path, report_to=["tensorboard"])
    assert list((result.run / "tensorboard").iterdir())


def test_a_repeated_fork_goes_on_in_the_same_copy(tmp_path):
    first = first_run(tmp_path)
    changed = XPO | {"budget": 16, "objective": {"name": "xpo", "beta": 0.3}, "output": str(first.run)}
    forks = [boldly.run(**changed, fork=True), boldly.run(**changed, fork=True)]
    more = boldly.run(**(changed | {"budget": 24}), fork=True)
    assert [run.run.name for run in (*forks, more)] == ["run-fork-1"] * 3
    assert (forks[1].resumed, forks[1].labels, more.labels) == (True, 16, 24)
    assert labels(more.run)[:8] == labels(first.run)


def test_what_a_chat_template_refuses_is_named_with_its_line(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(data.base_directory(), folder)
    (folder / "chat_template.jinja").write_text("{{ raise_exception('roles must alternate') }}")
    prompts = tmp_path / "p.jsonl"
    prompts.write_text("".join(f'{{"prompt": [{{"role": "user", "content": "emma {i}"}}]}}\n' for i in range(40)))
    with pytest.raises(PromptsError, match=r"p.jsonl:\d+: the chat template of .* refuses .*roles must alternate"):
        first_run(tmp_path, model=str(folder), prompts=str(prompts), oracle=lambda prompt, response: 1.0)
    assert not (tmp_path / "run").exists()

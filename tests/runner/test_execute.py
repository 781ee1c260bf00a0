"""The whole job on the bundled default, small: what it leaves behind, and that nothing can be lost or bought twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

import boldly
from boldly.errors import ConfigError
from boldly.ledger.sql import SqlLedger
from boldly.lm.load import load
from boldly.runner import RunDirectory, load_result

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


def labels(root):
    ledger = SqlLedger(RunDirectory(root).ledger, read_only=True)
    try:
        return [(label.sequence, label.query.id, label.verdict) for label in ledger.labels()]
    finally:
        ledger.close()


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


def test_a_run_leaves_a_model_a_ledger_and_a_report(default_run):
    run = RunDirectory(default_run.run)
    for path in (run.config, run.ledger, run.metrics, run.samples, run.result, run.report, run.model / "README.md"):
        assert path.stat().st_size > 0, path
    assert len(labels(run.root)) == default_run.labels == 24
    assert load(run.model).module.num_parameters() == load(run.model).module.num_parameters()
    lines = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    assert [line["iterate"] for line in lines] == [0, 1, 2, 3]
    assert [line["labels"] for line in lines] == [0, 8, 16, 24]


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


@pytest.mark.slow
@pytest.mark.parametrize(("keys", "whole"), [(SMALL, "default_run"), (XPO, "xpo_run")], ids=["default", "xpo"])
def test_killed_at_any_moment_and_started_again_ends_as_an_uninterrupted_run(keys, whole, request, tmp_path):
    """SIGKILL each time the run's files have changed a little more, until one start gets through to the end."""
    whole = request.getfixturevalue(whole)
    root, kills = tmp_path / "run", 0
    for kill_at in (1, 2, 4, 6, 9, 12, 16, 10**9):
        child = start(keys | {"output": str(root)})
        changes, last = 0, None
        while child.poll() is None and changes < kill_at:
            state = (
                [(str(p), p.stat().st_mtime_ns) for p in sorted(root.rglob("*")) if p.exists()]
                if root.exists()
                else None
            )
            changes += state != last
            last = state
            time.sleep(0.02)
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            kills += 1
        errors = child.communicate()[1].decode()
        assert child.returncode in (0, -signal.SIGKILL), errors
    assert child.returncode == 0
    assert kills >= 4
    assert labels(root) == labels(whole.run)
    assert same(weights(root), weights(whole.run))
    assert load_result(RunDirectory(root)).reward == whole.reward


def test_a_changed_configuration_is_refused_with_the_difference_and_the_flag(xpo_run):
    changed = XPO | {"objective": {"name": "xpo", "beta": 0.3}}
    with pytest.raises(ConfigError, match=r"(?s)--fork.*objective\.beta: 0\.1 -> 0\.3"):
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

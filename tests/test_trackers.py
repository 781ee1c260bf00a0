import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from boldly import trackers
from boldly.errors import MissingExtra
from boldly.progress import Evaluation, Interval, Progress, Record
from boldly.trackers import Trackers, check_installed, numbers

ABOUT = Interval(0.5, 0.25, 0.75, 32)
EVALUATION = Evaluation(ABOUT, None, ABOUT, ABOUT, 0.5, 3.0, ABOUT, 0.9, 0.1, {"lazy": 0.5})
RECORD = Record(2, 32, EVALUATION, {"preferences": 16}, preference_loss=0.6, seconds={"learning": 1.5})


def steps(tracker: Trackers) -> None:
    tracker(Progress("sampling", 0, 0, 64))
    tracker(Progress("writing", 1, 16, 64, Record(1, 16, None, preference_loss=0.7)))
    tracker(Progress("writing", 2, 33, 64, RECORD))
    tracker.close()


def test_a_record_is_flat_numbers_and_what_was_not_measured_is_left_out():
    found = numbers(RECORD)
    assert {name: found[name] for name in ("reward", "reward_low", "reward_high", "kl_policy")} == {
        "reward": 0.5,
        "reward_low": 0.25,
        "reward_high": 0.75,
        "kl_policy": 0.5,
    }
    assert found["bought/preferences"] == 16.0
    assert found["kinds/lazy"] == 0.5
    assert found["seconds/learning"] == 1.5
    assert not {"win_rate", "bonus", "labels"} & set(found)
    assert all(isinstance(value, float) for value in found.values())


def test_tensorboard_files_hold_every_number_against_its_labels(tmp_path: Path):
    steps(Trackers(["tensorboard"], tmp_path, {"budget": 64}))
    read = EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    assert [(event.step, round(event.value, 6)) for event in read.Scalars("preference_loss")] == [(16, 0.7), (32, 0.6)]
    assert [(event.step, event.value) for event in read.Scalars("reward")] == [(32, 0.5)]
    assert set(read.Tags()["scalars"]) == {*numbers(RECORD), "refused_steps"}


def test_nothing_is_opened_before_the_first_record(tmp_path: Path):
    tracker = Trackers(["tensorboard"], tmp_path, {})
    tracker(Progress("starting", 0, 0, 64))
    tracker.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_the_hosted_trackers_are_called_as_their_packages_want(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    calls: list[tuple[str, Any]] = []

    class Run:
        def log(self, values: dict[str, float], step: int) -> None:
            calls.append(("log", (values, step)))

        def finish(self) -> None:
            calls.append(("finish", None))

    def init(**options: Any) -> Run:
        calls.append(("init", options))
        return Run()

    module = ModuleType(name)
    module.init = init  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(trackers, "find_spec", lambda _: object())
    run = tmp_path / "default-seed0"
    run.mkdir()
    steps(Trackers([name], run, {"budget": 64}))
    (first, options), *logs, (last, _) = calls
    assert (first, last) == ("init", "finish")
    assert (options["project"], options["name"], options["resume"]) == ("boldly", "default-seed0", "allow")
    assert options["config"] == {"budget": 64}
    assert [step for _, (_, step) in logs] == [16, 32]
    assert logs[-1][1][0] == numbers(RECORD)


def test_what_is_not_installed_is_named_with_the_line_that_installs_it():
    check_installed(["tensorboard"])
    with pytest.raises(MissingExtra, match=r"run `pip install 'boldly\[trackio\]'`, or write `report_to: \[\]`"):
        check_installed(["tensorboard", "trackio"])

"""What a run is doing, as somebody beside it can tell."""

import json
from pathlib import Path

import pytest

from boldly.config.live import live_state, tell_state
from boldly.ledger.lock import Lock


@pytest.fixture
def held(tmp_path: Path):
    lock = Lock(tmp_path / "ledger.sqlite.lock")
    yield tmp_path
    lock.release()


def test_who_holds_a_run_says_what_it_does(held: Path):
    assert live_state(held) == "sampling"
    for phase in ("labelling", "learning", "evaluating", "sampling"):
        tell_state(held, phase)
        assert live_state(held) == phase


def test_what_a_process_wrote_that_is_gone_tells_nothing(held: Path):
    tell_state(held, "learning")
    state = held / "state.json"
    for changed in ({"pid": 1}, {"host": "elsewhere"}):
        state.write_text(json.dumps(json.loads(state.read_text()) | changed))
        assert live_state(held) == "sampling"


def test_a_run_that_nobody_holds_is_stopped_or_ended(tmp_path: Path):
    assert live_state(tmp_path) == "stopped"
    lock = Lock(tmp_path / "ledger.sqlite.lock")
    tell_state(tmp_path, "learning")
    lock.release()
    assert live_state(tmp_path) == "stopped"
    (tmp_path / "result.json").write_text("{}")
    assert live_state(tmp_path) == "ended"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"phase": "dancing"}', "\x00\xff"])
def test_what_can_not_be_read_is_nothing(held: Path, text: str):
    (held / "state.json").write_text(text)
    assert live_state(held) == "sampling"


def test_where_nothing_can_be_written_nobody_is_told_and_nothing_is_left(tmp_path: Path):
    tell_state(tmp_path / "gone", "learning")
    (tmp_path / "state.json").mkdir()
    tell_state(tmp_path, "learning")
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]

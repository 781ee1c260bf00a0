import io

import pytest
from rich.console import Console

from boldly.cli.view import Lines, LiveTable, State, duration, facts, interval, open_view
from boldly.progress import Evaluation, Interval, Progress, Record

EVALUATION = Evaluation(
    reward=Interval(0.42, 0.36, 0.48, 64),
    win_rate=Interval(0.71, 0.64, 0.77, 64),
    kl_policy=Interval(1.2, 1.0, 1.4, 64),
    kl_reference=Interval(0.9, 0.8, 1.0, 64),
    reference_mass=0.6,
    largest_log_ratio=4.0,
    length=Interval(9.1, 8.0, 10.2, 64),
    distinct=0.9,
    truncated=0.125,
)
DONE = Progress("writing", 3, 48, 256, Record(3, 48, EVALUATION))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3725, "1 h 2 min"), (90_000, "1 d 1 h"), (3599.6, "1 h 0 min")],
)
def test_durations_have_their_two_largest_units(seconds: float, words: str):
    assert duration(seconds) == words


def test_an_interval_that_is_not_known_says_so():
    assert interval(None) == "not known"
    assert interval(Interval(0.5, 0.25, 0.75, 8)) == "0.50 [0.25, 0.75]"


def test_the_time_left_is_at_the_rate_so_far():
    now = [100.0]
    state = State(clock=lambda: now[0])
    state.take(Progress("starting", 0, 0, 100))
    now[0] = 150.0
    state.take(Progress("sampling", 0, 20, 100))
    assert state.left == "unknown"
    now[0] = 160.0
    state.take(Progress("learning", 0, 40, 100))
    assert state.left == "30 s"
    now[0] = 400.0
    state.take(Progress("evaluating", 0, 40, 100))
    assert state.left == "30 s"


def test_the_facts_are_those_of_the_newest_evaluation_beside_the_base():
    state = State()
    assert facts(state) == []
    base = Record(0, 0, Evaluation(**{name: getattr(EVALUATION, name) for name in EVALUATION.__slots__}))
    state.take(Progress("evaluating", 0, 0, 256, base))
    state.take(DONE)
    found = dict(facts(state))
    assert found["labels"] == "48 of 256, 208 left"
    assert found["reward"] == "0.42 [0.36, 0.48], base 0.42"
    assert found["win rate"] == "0.71 [0.64, 0.77] against the base"
    assert found["KL"] == "1.20 [1.00, 1.40] from the base, 0.90 [0.80, 1.00] to it, in nats"
    assert found["length"] == "9.1 [8.0, 10.2] tokens, 12% cut"


def console(**options: object) -> Console:
    return Console(file=io.StringIO(), **options)  # pyright: ignore[reportArgumentType]


def shown(target: Console) -> str:
    assert isinstance(target.file, io.StringIO)
    return target.file.getvalue()


def test_without_a_terminal_there_are_plain_lines():
    target = console(width=20)
    view = open_view(target, quiet=False)
    assert isinstance(view, Lines)
    view(Progress("starting", 0, 0, 256))
    view(Progress("sampling", 1, 0, 256, note="resumed [at round 1]"))
    view(DONE)
    view.close()
    first, second = shown(target).splitlines()
    assert first == "resumed [at round 1]"
    assert second.startswith("round: 3  labels: 48 of 256, 208 left  reward: 0.42 [0.36, 0.48]")
    assert "\x1b" not in shown(target)
    assert shown(target).isascii()


def test_the_base_of_a_run_that_goes_on_has_no_second_line_and_stands_beside_the_rest():
    target = console()
    view = open_view(target, quiet=False)
    view(Progress("starting", 0, 44, 256, Record(0, 0, EVALUATION)))
    view(Progress("starting", 0, 44, 256, note="resumed at round 2: 44 labels kept, none bought again"))
    view(DONE)
    first, second = shown(target).splitlines()
    assert first.startswith("resumed at round 2")
    assert second.startswith("round: 3  labels: 48 of 256")
    assert "base 0.42" in second


def test_quiet_shows_notes_alone():
    target = console()
    view = open_view(target, quiet=True)
    view(DONE)
    view.note("note: x")
    assert shown(target) == "note: x\n"


@pytest.mark.parametrize("width", [20, 200])
def test_a_terminal_gets_a_table_that_moves(width: int):
    target = console(force_terminal=True, width=width, height=40)
    view = open_view(target, quiet=False)
    assert isinstance(view, LiveTable)
    view(DONE)
    view.note("a note")
    view.close()
    assert "a note" in shown(target)
    assert "win rate" in shown(target)
    assert "\x1b" in shown(target)


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(open_view(console(force_terminal=True), quiet=False), Lines)


def test_no_color_is_heeded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    target = console(force_terminal=True, width=100)
    view = open_view(target, quiet=False)
    view(DONE)
    view.close()
    assert not any(f"\x1b[{code}m" in shown(target) for code in range(30, 50))

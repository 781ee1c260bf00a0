import io

import pytest
from rich.console import Console

from boldly.cli.bars import LineBars, LiveBars, open_bars


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, legacy_windows=False, _environ={})


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_has_bars_and_a_file_has_lines():
    live = open_bars(console(terminal=True), ["a"])
    live.close()
    assert isinstance(live, LiveBars)
    assert isinstance(open_bars(console(terminal=False), ["a"]), LineBars)


def test_lines_come_at_each_quarter():
    output = console(terminal=False)
    bars = LineBars(output)
    for i in range(101):
        bars("a", i / 100)
    bars("[b]", 7.0)
    bars.close()
    assert written(output).splitlines() == ["a: 0%", "a: 25%", "a: 50%", "a: 75%", "a: 100%", "[b]: 100%"]


@pytest.mark.parametrize("share", [0.5, 2.0, -1.0])
def test_bars_show_every_name_and_its_share(share: float):
    output = console(terminal=True)
    bars = LiveBars(output, ["two-arms", "[red]trap"])
    bars("two-arms", share)
    bars.note("[b] a note")
    bars.close()
    text = written(output)
    assert f"{min(max(share, 0), 1):.0%}" in text
    assert "[red]trap" in text
    assert "[b] a note" in text

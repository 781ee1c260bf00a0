import io

import pytest
from rich.console import Console

from boldly.cli.outcomes import print_listing, print_outcome, print_summary
from boldly.lab.experiments import Finding, Grid, Outcome, Score


def shown(outcome: Outcome, *, terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=60, _environ={"TERM": "xterm"})
    print_outcome(outcome, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


HOSTILE = "\x1b[31mred[/] [bold]b[/bold] \u202e [link=x]"


def outcome(text: str) -> Outcome:
    finding = Finding(text, text, text, text, True, tables=[Grid(text, [text, text], [[text, text]])])
    return Outcome(text, text, text, [text], {}, [finding], [Score(text, text, 1.0, float("nan"), float("inf"), 3)])


@pytest.mark.parametrize("terminal", [False, True])
def test_no_text_reaches_the_terminal_as_a_command(terminal: bool):
    text = shown(outcome(HOSTILE), terminal=terminal)
    assert "\x1b[31mred" not in text
    assert "\u202e" not in text
    assert "[U+001B]" in text
    assert "[/]" in text


def test_a_line_of_a_file_is_not_broken():
    long = "word " * 100
    lines = shown(outcome(long.strip())).splitlines()
    assert f"  holds: {long}".rstrip() in lines
    assert not any(line.endswith(" ") for line in lines)
    assert max(map(len, shown(outcome(long), terminal=False).splitlines())) > 500


def test_listing_and_summary_hold_what_they_are_given():
    console = Console(file=io.StringIO(), width=60)
    print_listing([("a", "Why?", {"x": "1"})], console)
    print_summary([("a", "1 holds"), ("long name", "2 hold")], console)
    print_summary([], console)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines() == ["a  Why?", "   x=1", "a          1 holds", "long name  2 hold", ""]

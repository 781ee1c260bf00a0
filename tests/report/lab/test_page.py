from dataclasses import replace

import pytest

from boldly.cli.lab import lab
from boldly.cli.main import app
from boldly.lab.experiments import Finding, Grid, Outcome
from boldly.report import render
from boldly.report.blocks import Claim, Code, Figures, Judgement, Table
from boldly.report.lab import Entrance, experiment_page, index_page
from boldly.report.lab.page import anchors
from tests.coins import coins, dice, fair


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return coins(seeds=30)


def test_a_claim_stands_above_its_plots_and_its_verdict_below(outcome: Outcome):
    page = experiment_page(outcome, seconds=2.0)
    assert page.headline == outcome.question
    first = page.sections[1]
    assert [type(block) for block in first.blocks] == [Claim, Figures, Table, Judgement]
    assert first.blocks[0] == Claim("The claim", outcome.findings[0].claim)
    assert first.blocks[-1] == Judgement("holds", outcome.findings[0].verdict)
    marks = [section.blocks[-1].mark for section in page.sections[1:4]]
    assert marks == ["holds", "does not hold", "measured"]
    assert [one.value for one in page.key_figures] == ["1 of 2", "1", "30", "2.00 s"]


def test_what_was_only_measured_is_not_called_a_claim(outcome: Outcome):
    measured = replace(outcome.findings[2], claim="Where medians lie.")
    blocks = experiment_page(replace(outcome, findings=[measured])).sections[1].blocks
    assert blocks[0] == Claim("What is measured", "Where medians lie.")


def test_the_command_at_the_foot_gives_the_same_outcome(outcome: Outcome):
    command, python = experiment_page(outcome).sections[-1].blocks
    assert isinstance(command, Code)
    assert isinstance(python, Code)
    words = command.text.split()
    assert words[:2] == ["boldly", "lab"]
    function, bound, _ = app.parse_args(words[1:], exit_on_error=False, print_error=False)
    assert (function, bound.arguments["experiment"], bound.arguments["seeds"]) == (lab, "coins", "30")
    names: dict = {}
    exec(
        python.text.replace('EXPERIMENTS["coins"]', "coins")
        .replace("EXPERIMENTS['coins']", "coins")
        .rsplit("\n", 1)[0],
        {"coins": coins},
        names,
    )
    assert names["outcome"] == outcome


def test_what_only_python_can_set_has_no_command():
    def tails(flips):
        return (1 - flips).cumsum(1)

    assert [code.title for code in experiment_page(coins(seeds=30, methods=[tails])).sections[-1].blocks] == [
        "From Python"
    ]
    assert len(experiment_page(coins(seeds=30, methods=[fair])).sections[-1].blocks) == 2


def test_rows_are_as_wide_as_their_columns(outcome: Outcome):
    ragged = Finding("a", "A", "c", "v", True, tables=[Grid("g", ["x", "y"], [["1"], ["1", "2", "3"]])])
    table = experiment_page(replace(outcome, findings=[ragged])).sections[1].blocks[1]
    assert table.rows == [["1", ""], ["1", "2"]]
    assert render(experiment_page(replace(outcome, findings=[ragged])))


def test_places_on_a_page_are_words_and_no_two_the_same():
    assert anchors(["a", "A", "a b/ü", "", "<script>"]) == ["a", "a-again", "a-b", "unnamed", "script"]


def test_the_index_leads_to_every_page(outcome: Outcome):
    page = index_page(
        [Entrance(outcome, "coins.html", 2.0), Entrance(dice(), "dice.html", 1.0)], [("bad", "It broke.")]
    )
    assert page.headline == "2 of 3 claims hold."
    html = render(page)
    for text in ('href="coins.html"', 'href="dice.html"', "does not hold", "It broke.", outcome.question):
        assert text in html
    assert len(html) < 50_000, "a page without plots carries no plotting library"


def test_many_scores_are_folded_and_few_are_not(outcome: Outcome):
    for count, folded in ((20, False), (21, True)):
        sections = experiment_page(replace(outcome, scores=outcome.scores[:1] * count)).sections
        (table,) = next(section for section in sections if section.id == "scores").blocks
        assert isinstance(table, Table)
        assert (len(table.rows), table.folded) == (count, folded)


def test_a_column_is_of_figures_where_most_of_it_are():
    rows = [["a", "1.5", "DPO", "not reached", ""], ["b", "-0.2 [-0.3, 1]", "0; a number in words", "∞", ""]]
    table = Table(["name", "error", "side", "labels", "none"], rows)
    assert [table.is_figures(i) for i in range(5)] == [False, True, True, True, False]
    words = Table(["side"], [["DPO"], ["-beta log pi"], ["1 / eta"]])
    assert not words.is_figures(0)
    assert [Table(["x"], [["y" * n]]).is_long(0) for n in (24, 25)] == [False, True]

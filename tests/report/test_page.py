import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from boldly.errors import InvalidInput, StorageError
from boldly.ledger import Spent
from boldly.metrics import Sample
from boldly.progress import Record
from boldly.report import RunData, load, render, single, write_report
from boldly.report.data import Books, RoundData
from boldly.report.numbers import number
from boldly.report.page import write
from tests.report.fakes import CONFIG, Story, records, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "xpo-seed0", Story(labels=64, halfway=30.0))


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    return write_report([run], run / "report.html").read_text()


def data(**changes) -> RunData:
    made = RunData(Path("made-up"), CONFIG, "recipe: xpo", tuple(records(Story())), result={"best": 8})
    return replace(made, **changes)


class Tags(HTMLParser):
    """Every tag that is opened, with its attributes, and whether all are closed in their order."""

    VOID = frozenset({"meta", "link", "br", "img", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def without_plotly(html: str) -> str:
    return re.sub(r"<script>.*?</script>", "", html, flags=re.S)


def test_the_page_is_one_well_formed_file_that_names_no_other(html: str):
    tags = Tags()
    tags.feed(without_plotly(html))
    assert tags.open == []
    for _, attributes in tags.seen:
        for name in ("src", "href", "action", "srcset", "data", "poster"):
            assert attributes.get(name, "#").startswith(("#", "data:,"))
    assert "url(" not in without_plotly(html)
    assert html.count("<script>") == 2
    assert html.lower().count("</script>") == 3


def test_the_headline_and_every_number_of_the_curve_are_those_of_the_log(html: str, run: Path):
    rewards = [record.evaluation.reward for record in records(Story(labels=64, halfway=30.0))]
    assert (
        f"64 labels took the mean held‑out reward from {number(rewards[0].value)} to {number(rewards[-1].value)}"
        in html
    )
    rows = re.findall(r'<tr><th scope="row">(\d+)</th><td class="figure">([^<]*)</td>', html)
    for labels, reward in zip(range(0, 80, 16), rewards, strict=True):
        assert (str(labels), number(reward.value)) in rows


def test_every_section_of_the_issue_is_there(html: str):
    ids = re.findall(r'<section id="([^"]+)"', html)
    assert ids == [
        "diagnosis",
        "answers",
        "learning",
        "distance",
        "coverage",
        "training",
        "rounds",
        "ledger",
        "checks",
        "time",
        "reproduce",
    ]
    plots = re.findall(r'data-plot="([^"]+)"', html)
    assert plots == [
        "reward",
        "win-rate",
        "frontier",
        "kl",
        "kinds",
        "diversity",
        "length",
        "terms",
        "bonus",
        "gradients",
        "gained",
        "outcomes",
        "foreseen",
        "cost",
    ]
    assert html.count("The numbers behind this plot") == len(plots)


def test_the_ledger_adds_up_or_says_that_it_does_not():
    bought = {"preference": 20, "tie": 5, "both_bad": 3, "abstention": 2, "failed": 1, "skipped": 2}
    rounds = (RoundData(0, bought), RoundData(1, bought))
    whole = Spent(labels=61, preferences=41, ties=10, both_bad=6, abstentions=4, surplus=1, failed=2)
    assert "41 + 10 + 6 + 4 = 61 labels. Without 1 second answers these are the 60" in render(
        single(data(rounds=rounds, books=Books({"training": whole})))
    )
    torn = render(single(data(rounds=rounds[:1], books=Books({"training": whole}))))
    assert "It does not add up" in torn
    assert "boldly export" in torn


def test_nothing_found_is_said_in_words():
    good = data(records=data().records[:1], result=None)
    assert "Nothing found. Looked for" in render(single(good))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"records": ()}, "0 labels bought so far; no held‑out evaluation has been made yet."),
        ({"records": (Record(0, 0, None), Record(1, 16, None))}, "16 labels bought so far"),
        ({"result": None}, "The run has not ended"),
        ({"result": {"best": 0}}, "128 labels found nothing better than the base model"),
        ({"samples": (Sample(0, "p", "", None, False),)}, "An empty answer."),
    ],
)
def test_runs_in_every_state_have_a_page(changes: dict, words: str):
    assert words in render(single(data(**changes)))


def test_a_run_without_a_reward_is_told_by_its_win_rate():
    blind = [replace(r, evaluation=replace(r.evaluation, reward=None, gain=None)) for r in records(Story())]
    page = render(single(data(records=tuple(blind))))
    assert "128 labels made a model whose answers beat the base model&#39;s in" in page
    assert 'data-plot="reward"' not in page


def unscored(**changes) -> RunData:
    """A run whose oracle gives no reward."""
    none = {"reward": None, "gain": None, "win_rate": None}
    blind = [replace(r, evaluation=replace(r.evaluation, **none)) for r in records(Story())]
    return data(**{"records": tuple(blind), "result": {"best": 8, "chosen_by": "newest"}, **changes})


def test_a_run_that_measured_nothing_says_why_and_the_line_to_write():
    run = unscored()
    page = single(run)
    assert page.headline == "128 labels bought, and no reward or win rate was measured."
    assert page.standfirst.startswith("There is no measure because the oracle gives no free reward, and nobody was ask")
    assert "`evaluation: {labels: 200}`" in page.standfirst
    html = render(page)
    assert "nothing measured" in html
    assert "Nothing found. Looked for" not in html
    assert "so far" not in page.headline + page.standfirst
    going = single(replace(run, result=None))
    assert going.headline == "128 labels bought so far, and no reward or win rate is measured."
    assert going.standfirst.startswith("The run has not ended; this is what it has come to so far. There is no measure")
    short = single(replace(run, config={**CONFIG, "budget": 200}))
    assert short.standfirst.startswith("The run ended with 72 labels of its budget not bought; see below why. There is")


def test_a_run_whose_first_comparisons_are_still_to_come_says_so():
    asked = {**CONFIG, "evaluation": {"prompts": 128, "labels": 64}}
    page = single(unscored(config=asked, result=None))
    assert page.headline == "128 labels bought so far; no iterate has been compared with the base model yet."


def test_a_base_that_no_iterate_beats_is_told_where_there_is_no_reward():
    """It was kept, and it has no win rate: it is never compared with itself."""
    blind = [replace(r, evaluation=replace(r.evaluation, reward=None, gain=None)) for r in records(Story())]
    base = replace(blind[0], evaluation=replace(blind[0].evaluation, win_rate=None))
    page = single(data(records=(base, *blind[1:]), result={"best": 0}))
    assert page.headline.startswith("128 labels found nothing better than the base model: ")
    assert "It is the best of" not in page.standfirst


def test_a_gain_within_chance_is_not_claimed():
    made = records(Story())
    doubtful = made[-1].evaluation.gain._replace(low=-0.01)
    made[-1] = replace(made[-1], evaluation=replace(made[-1].evaluation, gain=doubtful))
    assert "too little to tell from chance" in render(single(data(records=tuple(made))))


def test_the_bonus_is_shown_beside_the_preference_term_only_where_there_is_one():
    assert "exploration bonus" in render(single(data()))
    plain = [replace(record, bonus=None) for record in records(Story())]
    assert "This run used no exploration bonus" in render(single(data(records=tuple(plain))))


def curve_of(page, name: str):
    figures = [f for s in page.sections for b in s.blocks for f in getattr(b, "figures", ())]
    return next(figure for figure in figures if figure.id == name)


def test_a_small_bonus_has_an_axis_of_its_own():
    """-1e-4 beside 0.5: a curve at 0.0002, on an axis that holds nothing else, and 0.02% in the table."""
    tiny = [replace(r, bonus=-1e-4, preference_loss=0.5) for r in records(Story())[1:]]
    figure = curve_of(single(data(records=tuple(tiny))), "bonus")
    assert [trace["y"] for trace in figure.plot["data"]] == [pytest.approx([2e-4] * 8)]
    assert figure.plot["layout"]["yaxis"]["rangemode"] == "tozero"
    assert figure.table.rows[0] == ["16", "−0.0001", "0.50", "0.02%"]


def test_the_headline_names_the_labels_of_the_model_that_was_kept():
    page = single(data(result={"best": 5}))
    made = data().records
    assert page.headline.startswith("80 labels took the mean held-out reward from ")
    assert page.headline.endswith("; 128 were bought in all.")
    figures = {one.label: one for one in page.key_figures}
    reward = made[5].evaluation.reward
    base = number(made[0].evaluation.reward.value)
    assert figures["Mean reward"].note == f"{number(reward.low)} to {number(reward.high)}; base model {base}"
    assert (figures["Model kept"].value, figures["Model kept"].note) == ("iterate 5", "after 80 labels")


def test_where_the_base_was_kept_its_answers_stand_alone():
    """Both halves of the file are then of iterate 0."""
    twice = tuple(Sample(0, f"prompt {i}", "yes", 0.1, True) for _ in range(2) for i in range(3))
    page = render(single(data(result={"best": 0}, samples=twice)))
    assert "The base model was kept" in page
    assert "No answer was kept" not in page
    assert page.count('<div class="answer">') == 3
    assert "no iterate did better" in page


def test_a_run_that_ended_early_says_so_and_why():
    page = render(single(data(config={**CONFIG, "budget": 200})))
    assert "The run ended with 72 labels of its budget not bought; see below why." in page
    assert "it gives each prompt one answer only" in page
    assert "ended early" not in render(single(data(config={**CONFIG, "budget": 200}, result=None)))


def test_ticks_of_rounds_are_whole(run: Path):
    page = single(load(run))
    for name in ("gained", "outcomes", "foreseen"):
        axis = curve_of(page, name).plot["layout"]["xaxis"]
        assert (axis["tick0"], axis["dtick"]) == (0, 1)


def test_labels_that_prefer_neither_answer_are_named_with_their_share(run: Path):
    """Two ties in each 16 labels."""
    page = single(load(run))
    rows = curve_of(page, "outcomes").table
    assert [row[list(rows.columns).index("taught nothing")] for row in rows.rows] == ["12%"] * 4
    section = next(section for section in page.sections if section.id == "rounds")
    assert section.text[0].startswith("Of 64 labels 8 (12%) prefer neither of their two answers")


def test_the_diversity_caption_says_what_the_number_is():
    """`distinct` is different texts over all texts: two prompts in four sharing one text make 3/4, not 2/4."""
    reading = curve_of(single(data()), "diversity").reading
    assert "how many different texts there are among the held-out answers, as a share of them" in reading


def test_the_lines_that_make_it_again_name_the_directory_that_was_given(tmp_path: Path):
    place = write_run(tmp_path / "a run", Story(labels=16))
    code = list(single(load(place)).sections[-1].blocks)
    assert code[0].text == f"boldly run --config '{place}/config.yaml' --output '{place}-again'"
    assert code[1].text == f"boldly export '{place}' --format jsonl -o labels.jsonl"
    assert f"'{place}/model'" in code[2].text


def test_many_kinds_are_gathered():
    shares = {f"kind {i}": 1 / 20 for i in range(20)}
    made = [replace(r, evaluation=replace(r.evaluation, kinds=shares)) for r in records(Story())]
    assert "other kinds" in render(single(data(records=tuple(made))))


def test_writing_is_whole_or_not_at_all(run: Path, tmp_path: Path):
    output = tmp_path / "report.html"
    output.write_text("old")
    with pytest.raises(StorageError, match="holds no run"):
        write_report([tmp_path], output)
    assert output.read_text() == "old"
    assert write_report([run], output) == output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html"]
    with pytest.raises(StorageError, match="can't be written"):
        write_report([run], tmp_path / "gone" / "report.html")
    with pytest.raises(InvalidInput, match="needs a run"):
        write_report([], output)


def test_text_that_no_encoding_can_write_is_shown(tmp_path: Path):
    odd = data(samples=(Sample(0, "lone \ud800 surrogate", "x", None, True),))
    page = render(single(odd))
    assert "U+D800" in page
    page.encode()


def test_a_report_loads_neither_torch_nor_scipy(run: Path, tmp_path: Path):
    program = (
        "import sys; from pathlib import Path; from boldly.report import write_report\n"
        f"write_report([Path({str(run)!r})] * 2, Path({str(tmp_path / 'r.html')!r}))\n"
        f"write_report([Path({str(run)!r})], Path({str(tmp_path / 'r.html')!r}))\n"
        "print(sorted({'torch', 'scipy', 'transformers', 'numpy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_what_a_killed_process_left_of_a_page_goes_with_the_next(tmp_path: Path):
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    left, living = (tmp_path / f".report.html.tmp-{pid}" for pid in (killed.pid, os.getppid()))
    for path in (left, living):
        path.write_text("half")
    write("<p>whole", tmp_path / "report.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == [living.name, "report.html"]

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from boldly.cli import main
from boldly.lab.experiments import EXPERIMENTS
from tests.coins import broken, coins, dice

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(EXPERIMENTS):
        monkeypatch.delitem(EXPERIMENTS, name)
    monkeypatch.setitem(EXPERIMENTS, "coins", coins)
    monkeypatch.setitem(EXPERIMENTS, "dice", dice)


def test_without_a_name_it_lists_names_and_questions(capsys: pytest.CaptureFixture[str]):
    assert main(["lab"]) == 0
    text = capsys.readouterr().out
    assert "coins  How far from half do the heads of a coin stray?" in text
    assert "betas=0.5,0.25" in text
    assert "dice   Does a die know its last throw?" in text
    assert main(["lab", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["experiment"] for one in listed] == ["coins", "dice"]
    assert listed[1] == {"experiment": "dice", "question": dice.__doc__, "settings": {"seeds": 50}}
    assert not Path("lab").exists()


def test_one_experiment_prints_what_it_found_and_where_it_is(capsys: pytest.CaptureFixture[str]):
    assert main(["lab", "coins", "--seeds", "40", "--set", "betas=0.5", "--set", "rounds=20"]) == 0
    shown = capsys.readouterr()
    outcome = coins(seeds=40, betas=(0.5,), rounds=20)
    for finding, mark in zip(outcome.findings, ("holds", "does not hold", "measured"), strict=True):
        assert f"{mark}: {finding.verdict}" in shown.out
        assert not finding.claim or f"claim: {finding.claim}" in shown.out
    for row in outcome.findings[0].tables[0].rows:
        assert re.search(r"\s+".join(map(re.escape, row)), shown.out)
    assert "flips to the first head" not in shown.out, "scores are in the files where tables tell of them"
    assert shown.out.endswith("\nlab/coins.json\nlab/coins.html\n")
    assert shown.err.splitlines() == ["coins: 0%", "coins: 100%"]
    found = json.loads(Path("lab/coins.json").read_text())
    assert (found["settings"]["seeds"], found["settings"]["betas"]) == (40, [0.5])
    assert found["seconds"] > 0
    assert "<title>coins: " in Path("lab/coins.html").read_text()


def test_json_is_all_there_is_on_stdout(capsys: pytest.CaptureFixture[str]):
    assert main(["lab", "dice", "--json", "-o", "elsewhere"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == json.loads(Path("elsewhere/dice.json").read_text())
    assert "a line that an experiment prints" in shown.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["coin"], "coin is no experiment: write `boldly lab coins`."),
        (["coins", "--set", "bta=1"], "write `--set beta=1.0`."),
        (["coins", "--set", "beta=0"], "`beta` is 0, but it has to be a number above 0"),
        (["coins", "--set", "rounds=0"], "`rounds` is 0, but it has to be a number above 0"),
        (["coins", "--set", "beta"], "has no `=`"),
        (["coins", "--seeds", "0"], "`seeds` is 0, but it has to be a number above 0: write `--seeds 200`."),
        (["coins", "--seeds", "many"], "`seeds` is many, but it has to be a whole number: write `--seeds 200`."),
        (["coins", "--seeds", "2.7"], "`seeds` is 2.7, but it has to be a whole number: write `--seeds 200`."),
        (["coins", "--seeds", "null"], "`seeds` is null, but it has to be a whole number"),
        (["all", "--seeds", "2.7"], "`seeds` is 2.7, but it has to be a whole number"),
        (["coins", "--seeds", "99999999999"], "it has to be a number of at most 100000: write `--seeds 200`."),
        (["all", "--seeds", "0"], "`seeds` is 0"),
        (["all", "--set", "rounds=3"], "dice has no setting `rounds`"),
        (["dice", "--seeds", "13"], "thirteen throws bring bad luck"),
        (["--seeds", "3"], "write `boldly lab NAME --seeds 100`."),
        (["coins", "dice"], "dice"),
    ],
)
def test_what_cannot_work_ends_with_2(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]):
    assert main(["lab", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert sentence in shown.err
    assert shown.err.splitlines()[-1].startswith("boldly: ")
    assert not Path("lab").exists()


def test_a_folder_that_cannot_be_written_ends_with_5_before_anything_runs(capsys: pytest.CaptureFixture[str]):
    Path("file").touch()
    for name in ("coins", "all"):
        assert main(["lab", name, "-o", "file/lab"]) == 5
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("boldly: file/lab can't be written")


def test_all_runs_each_in_a_process_and_leads_to_every_page(capfd: pytest.CaptureFixture[str]):
    assert main(["lab", "all", "--seeds", "20"]) == 0
    shown = capfd.readouterr()
    assert re.search(
        r"coins +1 holds?, .* lab/coins\.html\ndice +1 holds .* lab/dice\.html\n\nlab/index\.html\n", shown.out
    )
    assert "a line that an experiment prints" in shown.err
    assert {"coins: 0%", "coins: 100%", "dice: 100%"} <= set(shown.err.splitlines())
    assert sorted(path.name for path in Path("lab").iterdir()) == [
        "coins.html",
        "coins.json",
        "dice.html",
        "dice.json",
        "index.html",
    ]
    in_process = coins(seeds=20)
    found = json.loads(Path("lab/coins.json").read_text())
    assert [one["verdict"] for one in found["findings"]] == [one.verdict for one in in_process.findings]


def test_one_that_breaks_breaks_alone(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    monkeypatch.setitem(EXPERIMENTS, "broken", broken)
    assert main(["lab", "all", "--json", "--seeds", "13"]) == 1
    shown = capfd.readouterr()
    assert [one["experiment"] for one in json.loads(shown.out)] == ["coins"]
    assert "dice: thirteen throws bring bad luck: write `--seeds 14`." in shown.err
    assert "Traceback" in shown.err
    assert shown.err.splitlines()[-1] == (
        "boldly: 2 of 3 experiments did not end (dice, broken); the others are in lab/index.html."
    )
    assert "ZeroDivisionError" in Path("lab/index.html").read_text()


PROGRAM = """
import sys
from boldly.cli import main
from boldly.lab.experiments import EXPERIMENTS
if __name__ == "__main__":
    from tests.coins import endless
    EXPERIMENTS.clear()
    EXPERIMENTS.update({"endless": endless, "further": endless})
    sys.exit(main())
"""


@pytest.mark.parametrize("name", ["endless", "all"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_what_stops_it_stops_its_processes(name: str, number: int, code: int, tmp_path: Path):
    """Sent to the whole group, as a terminal sends Ctrl-C; the others to the one process, which takes its own along."""
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "program.py", "lab", name],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as started:
        assert started.stderr is not None
        said = ""
        while "50%" not in said:
            line = started.stderr.readline()
            assert line, said
            said += line
        send = os.killpg if number == signal.SIGINT else os.kill
        send(started.pid, number)
        rest = started.stderr.read()  # ends when nobody holds the pipe any more: no process is left over
        assert started.wait(60) == code
        assert "Traceback" not in rest
        if number != signal.SIGKILL:
            assert rest.splitlines()[-1] == "boldly: stopped"

import json
import re
import shlex
import signal
from contextlib import closing
from pathlib import Path

import pytest

from boldly import data
from boldly.cli import main
from boldly.cli.run import summary
from boldly.ledger.sql import SqlLedger
from boldly.progress import Interval, Result

SMALL = ["--recipe", "online-dpo", "--budget", "8", "--schedule.labels_per_round", "8", "--evaluation.prompts", "8"]
KEYS = {"run", "recipe", "labels", "budget", "reward", "reward_base", "win_rate", "kl", "model", "report"}


def written(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


BAD: list[tuple[list[str], dict[str, str], str]] = [
    (["--budgte", "3"], {}, "--budgte: `budgte` is no key of a configuration: write `--budget 3`."),
    (
        ["--learner.stepz", "3"],
        {},
        "--learner.stepz: `learner.stepz` is no key of `learner`: write `--learner.steps 3`.",
    ),
    (["--recipe", "xop"], {}, "--recipe: `recipe` is xop, which is none of"),
    (["--config", "run.yaml"], {}, "run.yaml: can't be read (No such file or directory)"),
    (["--config", "run.yaml"], {"run.yaml": "seed: 1\nbudgte: 3"}, "run.yaml:2: `budgte` is no key"),
    (["--config", "run.yaml"], {"run.yaml": "a: 1\nseed: 1\nseed: 2"}, "run.yaml:3: `seed` is given twice"),
    (["--config", "run.yaml"], {"run.yaml": "budget: 4"}, "run.yaml:1: `budget` is 4, less than the 16 labels"),
    (["--recipe", "xpo", "--sampler", "policy_twice"], {}, "--sampler: the bonus of `xpo` is taken on a response"),
    (["--report_to", "wandb"], {}, "pip install 'boldly[wandb]'"),
    (["--prompts", "p.jsonl"], {"p.jsonl": '{"prompt": "a"}'}, "--prompts: the prompts are your own"),
    (["--oracle.function", "oracle.py:reward"], {}, "oracle.py"),
    (["--oracle.function", "o.py:f"], {"o.py": "def f(x:\n"}, "SyntaxError"),
    (["--oracle.function", "o.py:f"], {"o.py": "def f(a): ..."}, "two or three arguments"),
    (["--model", "no-model"], {}, "no-model"),
    (["--output", "taken"], {"taken": "a file"}, "taken"),
    (
        ["--prompts", "p.jsonl", "--oracle.function", "boldly.data.task:reward"],
        {"p.jsonl": '{"prompt": "a"}\n{"promt": "b"}'},
        'p.jsonl:2: has no column `prompt`, it has promt: write "prompt" for "promt".',
    ),
    (["--model", "./nowhere"], {}, "--model: There is no directory nowhere; write `model: PATH`"),
    (["--config", "r.yaml"], {"r.yaml": "seed: 1\nmodel: ./nowhere"}, "r.yaml:2: `model`: There is no directory"),
    (
        ["--config", "r.yaml"],
        {"r.yaml": "oracle:\n  name: program\n  function: o.py:rewrad\n", "o.py": "def reward(prompt, response): ..."},
        "r.yaml:3: `oracle.function`: `o.py` has no function `rewrad`; did you mean `o.py:reward`?",
    ),
    (["--oracle.function", "o.py:f"], {"o.py": "import sys\nsys.exit(0)"}, "--oracle.function: `o.py` can't be run"),
    (["--output", "taken/run"], {"taken": "a file"}, "`output` is taken/run, where nothing can be written"),
    (["--output", "x" * 300], {}, "where nothing can be written (File name too long)"),
    (["--device", "cuda:77"], {}, "`device` is cuda:77, which can't be used here"),
    (
        ["--recipe", "xpo", "--objective.alpha", "[1e-5, 5e-6]"],
        {},
        "--objective.alpha: `objective.alpha` is [1e-05, 5e-06], but it has to be a number: write "
        "`--objective.alpha 0.0001`.",
    ),
    (
        ["--recipe", "xpo", "--objective.beta", "[0.1, 0.2]"],
        {},
        "--objective.beta: `objective.beta` is [0.1, 0.2], but it has to be a number: write `--objective.beta 0.1`.",
    ),
    (
        ["--config", "run.yaml"],
        {"run.yaml": "recipe: xpo\nobjective:\n  alpha: [1.0e-5, 5.0e-6]"},
        "run.yaml:3: `objective.alpha` is [1e-05, 5e-06], but it has to be a number: write `alpha: 0.0001`.",
    ),
    (["--budget", "0"], {}, "--budget: `budget` is 0, but it has to be a number above 0"),
    (["--budget", "-1"], {}, "--budget: `budget` is -1, but it has to be a number above 0"),
    (["--budget", "lots"], {}, "--budget: `budget` is lots, but it has to be a whole number"),
    (["--merge", "yes"], {}, "a flag that switches something on has no value"),
    (
        ["--prompts", "p.jsonl", "--schedule.labels_per_round", "2", "--oracle.function", "boldly.data.task:reward"],
        {
            "p.jsonl": "".join(f'{{"prompt": "how many {i}" }}\n' for i in range(9))
            + f'{{"prompt": "{"how " * 400}"}}\n'
        },
        "p.jsonl:10: ",
    ),
]


@pytest.mark.parametrize(("arguments", "files", "expected"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input_is_exit_2_with_its_place_and_nothing_is_written(
    arguments: list[str],
    files: dict[str, str],
    expected: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    for name, text in files.items():
        written(name, text)
    assert main(["run", *arguments]) == 2
    shown = capsys.readouterr()
    assert expected in shown.err
    assert shown.err.startswith("boldly: ")
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == set(files)


NEVER_ENDS = [
    "--recipe",
    "online-dpo",
    "--budget",
    "8",
    "--schedule.labels_per_round",
    "8",
    "--evaluation.prompts",
    "4",
]


def test_a_run_that_can_buy_nothing_says_why_and_does_not_stand_in_the_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    cut = [*NEVER_ENDS, "--output", "mine", "--generation.max_tokens"]
    assert main(["run", *cut, "1"]) == 2
    shown = capsys.readouterr()
    assert "no label could be bought: round 0 found no two responses" in shown.err
    assert "write `generation: {max_tokens: 2}`" in shown.err
    assert shown.out == ""
    assert main(["run", *cut, "24"]) == 0
    assert "labels    8 of 8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("max_tokens", "mend"),
    [
        (1, "write `generation: {max_tokens: 2}`."),
        (2, "write `generation: {max_tokens: 3}`."),
        (
            3,
            "the longest prompt leaves no room in the model's context for longer ones, so shorten or remove",
        ),
    ],
)
def test_a_run_that_can_buy_nothing_is_told_no_more_tokens_than_the_context_holds(
    max_tokens: int, mend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """A bundled model reads 64 tokens, and the longest prompt is 61."""
    prompts = [" ".join(["how"] * 61), *(prompt.text for prompt in data.prompts()[:20])]
    written("p.jsonl", "".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts))
    written("o.py", "def reward(prompt, response):\n    return 1.0\n")
    flags = ["--prompts", "p.jsonl", "--oracle", "program", "--oracle.function", "o.py:reward", "--heldout", "8"]
    flags += ["--recipe", "online-dpo", "--budget", "4", "--schedule.labels_per_round", "4", "--output", "mine"]
    assert main(["run", *flags, "--generation.max_tokens", str(max_tokens)]) == 2
    error = capsys.readouterr().err
    assert "no label could be bought: round 0 found no two responses" in error
    assert mend in error


def test_what_an_oracle_prints_goes_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    text = "def reward(prompt, response):\n    print('look here')\n    return float(len(response.text))\n"
    flags = ["--oracle", "program", "--oracle.function", written("o.py", text) + ":reward"]
    assert main(["run", *SMALL, *flags, "--output", "mine", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["labels"] == 8
    assert "look here" in shown.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_says_what_is_kept_and_the_command_that_goes_on(
    number: int, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The oracle sends the signal itself: sixteen held-out responses are judged first, then two for each label."""
    text = (
        "import os\ncalls = []\ndef reward(prompt, response):\n    calls.append(response)\n"
        f"    if len(calls) == 16 + 7 and not os.path.exists('sent'):\n        open('sent', 'w').close()\n"
        f"        os.kill(os.getpid(), {int(number)})\n    return float(len(response.text))\n"
    )
    flags = [
        *SMALL,
        "--oracle",
        "program",
        "--oracle.timeout",
        "null",
        "--oracle.function",
        written("o.py", text) + ":reward",
    ]
    assert main(["run", *flags, "--output", "it is mine"]) == code
    error = capsys.readouterr().err
    kept = re.search(r"boldly: stopped; (\d) of 8 labels are kept, and this goes on:\n  boldly run ", error)
    assert kept, error
    with closing(SqlLedger(Path("it is mine", "ledger.sqlite"), read_only=True)) as ledger:
        assert 0 < ledger.spent().labels == int(kept[1]) < 8
    line = shlex.split(error.splitlines()[-1])
    assert line[line.index("--output") + 1] == "it is mine"
    assert main(line[1:]) == 0
    assert "labels    8 of 8" in capsys.readouterr().out


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("BOLDLY_LEARNER__STEPZ", "4")
    assert main(["run"]) == 2
    assert "BOLDLY_LEARNER__STEPZ: `learner.stepz` is no key" in capsys.readouterr().err


def test_a_small_run_ends_with_one_object_and_the_same_command_says_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["run", *SMALL, "--output", "mine", "--json"]) == 0
    shown = capsys.readouterr()
    result = json.loads(shown.out)
    assert set(result) >= KEYS
    assert (result["run"], result["recipe"], result["labels"], result["budget"]) == ("mine", "online-dpo", 8, 8)
    assert Path(result["model"], "config.json").is_file()
    assert Path(result["report"]).is_file()
    assert "labels: 8 of 8" in shown.err
    assert main(["run", *SMALL, "--output", "mine", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert {key: again[key] for key in KEYS} == {key: result[key] for key in KEYS}
    assert main(["run", *SMALL, "--output", "mine", "--seed", "1"]) == 2
    error = capsys.readouterr().err
    assert "seed: 0 -> 1" in error
    assert "--fork" in error


PEOPLE = [*SMALL, "--oracle", "people", "--oracle.price", "0.5", "--output", "mine"]


def test_a_dry_run_prints_a_plan_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["run", *PEOPLE, "--dry-run", "--money", "3", "--consistency", "{}"]) == 0
    shown = capsys.readouterr()
    rows = {line[:10].strip(): line[10:] for line in shown.out.splitlines()}
    assert rows["plan"] == "mine (recipe online-dpo, new)"
    assert rows["training"] == "8 labels at 0.5 at most, together 3.00 at most"
    assert rows["checks"] == "1 labels at 0.5 at most, together 0.50 at most"
    assert rows["money"] == "3.50 at most"
    assert list(tmp_path.iterdir()) == []
    assert main(["run", *(word.replace("0.5", "0.0004") for word in PEOPLE), "--dry-run"]) == 0
    assert "8 labels at 0.0004 at most, together 0.0032 at most\n" in capsys.readouterr().out
    assert main(["run", *PEOPLE, "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["kept"], plan["rounds"], plan["money"]) == (0, 1, 4.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--labels", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--labels", "."], "is a directory without a run: write `--labels` with a run's directory"),
        (["--money", "-1"], "--money"),
        (["--consistency", "{share: 2}"], "consistency.share"),
        (["--evaluation.oracle", "jugde"], "--evaluation.oracle"),
        (["--evaluation.oracle", "recorded"], "source"),
        (["--oracle", "judge"], "model"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_new_flags_that_can_not_work_are_exit_2(
    flags: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["run", *SMALL, *flags, "--output", "mine"]) == 2
    assert expected in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_people_ends_with_3_and_a_rehearsal_of_it_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["run", *PEOPLE, "--rehearse", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["money"] == 4.0
    assert "rehearsal: labels are simulated by " in shown.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine-rehearsal"]
    assert main(["run", *PEOPLE]) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "boldly tell mine --list" in shown.err


def test_the_summary_says_what_was_gained_and_where_it_lies():
    result = Result(
        run=Path("runs/x"),
        recipe="xpo",
        labels=256,
        budget=256,
        best=16,
        chosen_by="win_rate",
        reward=Interval(0.93, 0.9, 0.96, 128),
        reward_base=Interval(0.07, 0.05, 0.09, 128),
        win_rate=Interval(0.98, 0.95, 0.99, 128),
        kl=Interval(4.6, 4.4, 4.8, 128),
        model=Path("runs/x/model"),
        report=Path("runs/x/report.html"),
        resumed=False,
        bought=256,
        money=12.5,
    )
    assert summary(result).splitlines() == [
        "run       runs/x (recipe xpo)",
        "labels    256 of 256, 12.50 spent",
        "reward    0.07 -> 0.93 [0.90, 0.96]",
        "win rate  0.98 [0.95, 0.99] against the base",
        "KL        4.60 [4.40, 4.80] nats from the base",
        "best      iterate 16, chosen by win rate",
        "model     runs/x/model",
        "report    runs/x/report.html",
    ]

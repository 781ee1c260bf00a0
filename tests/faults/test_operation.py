"""What happens to runs in operation: other budgets and prices, second signals, directories that move, absent extras."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from boldly.cli import main
from boldly.ledger import Spent
from boldly.ledger.sql import SqlLedger
from boldly.ledger.sql.verify import audit
from tests.faults.small import configured, judging, labels, write
from tests.oracles.judge.buying import longest
from tests.oracles.judge.service import Got, Reply, serving

LONGER = "def prefer(prompt, a, b):\n    return len(a.text) > len(b.text)\n"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "k")


def run(*flags: str) -> int:
    return main(["run", "--config", "run.yaml", "--quiet", *flags])


def spent(root: str = "mine") -> Spent:
    with closing(SqlLedger(f"{root}/ledger.sqlite", read_only=True)) as ledger:
        return ledger.spent()


def by_program(**keys: Any) -> None:
    write("oracle.py", LONGER)
    configured(oracle={"name": "program", "function": "oracle.py:prefer", "timeout": None, "price": 0.5}, **keys)


def test_many_workers_never_overshoot_the_money(capsys: pytest.CaptureFixture[str]):
    """Case 26: eight ask at once, each reserving far more than it comes to pay; at the end nothing is open."""
    with serving(longest) as service:
        configured(oracle=judging(service.url, workers=8))
        assert run("--dry-run", "--json") == 0
        money = 2.5 * json.loads(capsys.readouterr().out)["purchases"][0]["each"]
        assert run("--money", str(money)) in (0, 4)
        with closing(sqlite3.connect("mine/ledger.sqlite")) as ledger:
            assert ledger.execute("SELECT count(*) FROM calls").fetchone()[0] == len(service.got)
    assert labels("mine")
    assert spent().open == 0
    assert spent().money <= money


def test_a_budget_that_is_raised_goes_on_and_one_that_is_lowered_buys_nothing_more():
    """Case 27. Below what was spent the run still trains and ends."""
    by_program()
    assert run() == 0
    eight = labels("mine")
    assert run("--budget", "12") == 0
    twelve = labels("mine")
    assert twelve[:8] == eight
    assert len(twelve) == 12
    assert run("--budget", "4") == 0
    assert labels("mine") == twelve
    assert Path("mine/model/config.json").is_file()


def test_a_price_that_changes_is_paid_from_then_on():
    """Case 28: what was bought keeps its price."""
    by_program(budget=4)
    assert run() == 0
    assert run("--budget", "8", "--oracle.price", "0.75") == 0
    assert [label.price for label in labels("mine")] == [0.5] * 4 + [0.75] * 4
    assert spent().money == pytest.approx(4 * 0.5 + 4 * 0.75)


COMMAND = "import sys\nfrom boldly.cli import main\nsys.exit(main(sys.argv[1:]))\n"


def waiting_for(found: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_a_second_interrupt_ends_a_run_at_once_and_nothing_is_lost():
    """Case 83: with calls in flight the first Ctrl-C waits for them, here for a minute; the second doesn't."""
    patient = f"import boldly.oracles.judge.crew as crew; crew.GRACE = 60.0; {COMMAND}"
    state = {"slow": True}

    def stuck(got: Got) -> Reply:
        while state["slow"] and got.place >= 4:
            time.sleep(0.02)
        return longest(got)

    with serving(stuck) as service:
        configured(oracle=judging(service.url, workers=2, timeout=120.0, total_time=300.0))
        child = subprocess.Popen(
            [sys.executable, "-c", patient, "run", "--config", "run.yaml", "--quiet"],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        )
        waiting_for(lambda: len(service.got) >= 5 or child.poll() is not None)
        child.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert child.poll() is None, "it waits for what is in flight"
        since = time.monotonic()
        child.send_signal(signal.SIGINT)
        error = child.communicate(timeout=90)[1]
        assert time.monotonic() - since < 30.0
        assert child.returncode == 130, error
        assert "Traceback" not in error
        before = labels("mine")
        state["slow"] = False
        assert run() == 0
        with closing(sqlite3.connect("mine/ledger.sqlite")) as ledger:
            assert ledger.execute("SELECT count(*) FROM calls").fetchone()[0] == len(service.got)
    assert labels("mine")[: len(before)] == before
    assert len(labels("mine")) == 8


@pytest.mark.parametrize("how", [pytest.param(shutil.copytree, marks=pytest.mark.slow), shutil.move])
def test_a_directory_that_was_moved_or_copied_goes_on(how: Callable[..., Any], capsys: pytest.CaptureFixture[str]):
    """Case 84: every path in it is relative."""
    by_program(budget=4)
    assert run() == 0
    first = labels("mine")
    Path("elsewhere").mkdir()
    how("mine", "elsewhere/yours")
    root = "elsewhere/yours"
    for command in ("status", "verify", "report"):
        assert main([command, root]) == 0
    assert run("--output", root, "--budget", "8") == 0
    assert labels(root)[:4] == first
    assert len(labels(root)) == 8
    assert Path("mine").exists() == (how is shutil.copytree)
    assert yaml.safe_load(Path(root, "config.yaml").read_text())["output"] == root
    if Path("mine").exists():
        assert labels("mine") == first


BLOCKED = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    names = {"openai", "stamina", "psycopg", "tensorboard", "wandb", "trackio"}
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import importlib.util as util
real = util.find_spec
util.find_spec = lambda name, *given: None if name.split(".")[0] in Absent.names else real(name, *given)
from boldly.cli import main
for flags in sys.argv[1:]:
    print("exit", main(["run", "--config", "run.yaml", *flags.split()]), file=sys.stderr)
"""


@pytest.mark.slow
def test_without_an_extra_the_command_names_it():
    """Case 88: an installation without extras runs, and what needs one says which."""
    by_program(budget=4)
    judge = "--oracle judge --oracle.model m --oracle.base_url http://localhost:1/v1"
    commands = [judge, "--ledger postgresql://localhost/x?schema=y", "--report_to tensorboard", "--quiet"]
    done = subprocess.run([sys.executable, "-c", BLOCKED, *commands], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if line.startswith("exit")] == ["exit 2"] * 3 + ["exit 0"]
    for extra in ("judge", "postgres", "tensorboard"):
        assert f"pip install 'boldly[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert audit(Path("mine/ledger.sqlite")).ok

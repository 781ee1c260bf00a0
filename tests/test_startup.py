"""The commands that only look at a run, and `--help`, answer at once: they never import torch."""

import subprocess
import sys
from pathlib import Path

import pytest

from boldly.cli import app

COMMANDS = sorted(name for name in app if not name.startswith("-"))
PROGRAM = """
import sys
from boldly.cli import main
sys.argv = ["boldly", *sys.argv[1:]]
code = 0
try:
    code = main()
except SystemExit as stop:
    code = stop.code
print("\\nafter", code or 0, *sorted({"torch", "transformers", "peft", "scipy"} & set(sys.modules)))
"""


def loaded_after(*arguments: str, folder: Path) -> tuple[int, set[str]]:
    """Exit code of `boldly ARGUMENTS` in a fresh process, and which heavy libraries it had loaded at its end."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False, cwd=folder
    )
    last = done.stdout.splitlines()[-1:] or [""]
    assert last[0].startswith("after "), done.stdout + done.stderr
    _, code, *heavy = last[0].split()
    return int(code), set(heavy)


def test_help_loads_nothing_heavy(tmp_path: Path):
    assert loaded_after("--help", folder=tmp_path) == (0, set())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_loads_nothing_heavy(command: str, tmp_path: Path):
    assert loaded_after(command, "--help", folder=tmp_path) == (0, set())


@pytest.mark.parametrize("command", ["status", "report"])
def test_looking_at_a_folder_that_is_no_run_fails_without_torch(command: str, tmp_path: Path):
    code, heavy = loaded_after(command, str(tmp_path), folder=tmp_path)
    assert code != 0
    assert heavy == set()


@pytest.mark.slow
def test_looking_at_a_run_loads_nothing_heavy(tmp_path: Path):
    small = {"recipe": "online-dpo", "budget": "8", "schedule.labels_per_round": "8", "heldout": "4", "output": "run"}
    flags = [word for key, value in small.items() for word in (f"--{key}", value)]
    assert loaded_after("run", *flags, folder=tmp_path)[0] == 0
    assert loaded_after("status", "run", folder=tmp_path) == (0, set())
    assert loaded_after("report", "run", folder=tmp_path) == (0, set())

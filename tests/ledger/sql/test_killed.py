"""SIGKILL at every statement and at any instant: what was acknowledged is stored, once, and within the budget."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BUYER = Path(__file__).with_name("buyer.py")


@pytest.mark.parametrize("how", ["statement", "instant"])
def test_a_killed_process_loses_nothing_and_buys_nothing_twice(tmp_path: Path, how: str):
    done = subprocess.run([sys.executable, str(BUYER), str(tmp_path), how], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["killed"] >= 10
    assert seen["acknowledged"] >= 10
    assert seen["labels"] == seen["budget"]

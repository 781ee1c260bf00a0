"""SIGKILL at random moments of whole runs, with an oracle of each kind that a process can die on."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.oracles.judge.buying import longest
from tests.oracles.judge.service import Got, Reply, serving

LIVES = Path(__file__).with_name("lives.py")


def slowly(got: Got) -> Reply:
    """So slow that some die while they wait for it."""
    time.sleep(0.02)
    return longest(got)


def swept(folder: Path, kills: int, *kinds: str) -> dict[str, int]:
    """What was seen; the child compares every run that was killed with one that was not."""
    environment = os.environ | {"OPENAI_API_KEY": ""}
    with serving(slowly) as service:
        done = subprocess.run(
            [sys.executable, str(LIVES), str(folder), str(kills), service.url, *kinds],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        seen = json.loads(done.stdout.splitlines()[-1])
        got = len(service.got)
    # A life may die between writing a call down and sending it, and never the other way round.
    assert seen["received"] <= got <= seen["calls"] <= seen["received"] + seen["kills"]
    return seen


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["simulated", "program", "judge", "people"])
def test_fifty_kills_of_runs_end_as_uninterrupted_ones(tmp_path: Path, kind: str):
    """Labels, their order, step -> labels, weights of every iterate and answered calls are the same, to the bit."""
    seen = swept(tmp_path, 50, kind)
    assert seen["kills"] >= 50
    assert (seen["calls"] > 0) == (kind == "judge")


def test_a_few_kills_of_runs_end_as_uninterrupted_ones(tmp_path: Path):
    assert swept(tmp_path, 4, "judge")["kills"] >= 4

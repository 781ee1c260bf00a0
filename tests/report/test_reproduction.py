"""The report's own line makes the run again."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from boldly.report import load
from boldly.report.blocks import Code
from boldly.report.single.reproduction import reproduction


@pytest.mark.slow
def test_the_line_of_the_report_makes_the_same_model(tmp_path: Path):
    def boldly(words: str) -> None:
        program, environment = Path(sys.executable).with_name("boldly"), {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([program, *shlex.split(words)], cwd=tmp_path, check=True, capture_output=True, env=environment)

    small = "--recipe online-dpo --budget 16 --learner.steps 1 --evaluation.prompts 8 --quiet"
    made = tmp_path / "made"
    boldly(f"run {small} --output {shlex.quote(str(made))}")
    blocks = [block for block in reproduction(load(made)).blocks if isinstance(block, Code)]
    for line in (blocks[0].text, blocks[1].text):
        boldly(line.removeprefix("boldly "))
    models = [run / "model" / "model.safetensors" for run in (made, tmp_path / "made-again")]
    assert models[0].read_bytes() == models[1].read_bytes()
    assert len((tmp_path / "labels.jsonl").read_text().splitlines()) == 16

"""The card says what it was told, in a form that the Hub reads, and names no directory of this machine."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from boldly.lm.card import Card, Estimate, Figure, Library, public, public_name, render

CARD = Card(
    base_model="/home/ada/models/tiny",
    recipe="xpo",
    method="Exploratory preference optimization: online DPO with an optimism bonus.",
    labels={"preference": 240, "tie": 12, "both_bad": 4},
    figures=(
        Figure("reward", Estimate(0.71234, 0.65, 0.77), base=Estimate(0.21, 0.17, 0.25)),
        Figure("win rate against the base", Estimate(0.83, 0.78, 0.87)),
    ),
    confidence=0.95,
    configuration={
        "model": "/home/ada/models/tiny",
        "prompts": "data/a.jsonl",
        "oracle": {"name": "program", "function": "~/ada/oracle.py:reward"},
        "report_to": ["/home/ada/somewhere"],
        "adapter": None,
        "budget": 256,
    },
    seed=7,
    software={"boldly": "0.1.0", "torch": "2.13.0"},
    limits=("The labels came from a program, not from people.",),
)


@pytest.mark.parametrize("library", ["transformers", "peft"])
def test_the_header_is_what_the_hub_reads(library: Library):
    data = ModelCard(render(CARD, library)).data
    assert data.base_model == "tiny"
    assert data.library_name == library
    assert data.pipeline_tag == "text-generation"
    assert "xpo" in data.tags


def test_the_body_says_everything():
    text = render(CARD, "transformers")
    for part in (
        CARD.method,
        "| preference | 240 |",
        "| all | 256 |",
        "| reward | 0.21 [0.17, 0.25] | 0.712 [0.65, 0.77] |",
        "| win rate against the base |  | 0.83 [0.78, 0.87] |",
        "intervals at 95% confidence",
        "Seed 7. Written with boldly 0.1.0, torch 2.13.0.",
        "- The labels came from a program, not from people.",
        "boldly run --config run.yaml",
    ):
        assert part in text


def test_no_directory_of_this_machine_is_named():
    assert "/home" not in render(CARD, "peft")
    assert "ada/" not in render(CARD, "peft")


def configuration_of(card: str) -> str:
    (block,) = re.findall(r"```yaml\n(.*?)```", card, flags=re.DOTALL)
    return block


def test_the_configuration_is_all_there_with_public_paths():
    assert yaml.safe_load(configuration_of(render(CARD, "transformers"))) == {
        "model": "tiny",
        "prompts": "data/a.jsonl",
        "oracle": {"name": "program", "function": "oracle.py:reward"},
        "report_to": ["somewhere"],
        "adapter": None,
        "budget": 256,
    }


def test_it_links_to_nothing():
    assert "://" not in render(CARD, "transformers")


@pytest.mark.slow
def test_what_the_card_says_makes_the_model_again(tmp_path: Path):
    """A small run; then the card's configuration, anywhere, gives the same result and the same weights."""
    program = Path(sys.executable).with_name("boldly")
    small = "--recipe online-dpo --budget 16 --learner.steps 1 --evaluation.prompts 8 --quiet"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    made, again = tmp_path / "made", tmp_path / "again"
    first = [program, "run", *small.split(), "--output", made]
    subprocess.run(first, check=True, capture_output=True, env=environment)
    (tmp_path / "run.yaml").write_text(configuration_of((made / "model" / "README.md").read_text()))
    second = [program, "run", "--config", "run.yaml", "--output", again]
    subprocess.run(second, cwd=tmp_path, check=True, capture_output=True, env=environment)
    assert (again / "model" / "model.safetensors").read_bytes() == (made / "model" / "model.safetensors").read_bytes()
    rows = [json.loads((run / "result.json").read_text()) for run in (made, again)]
    assert rows[0] == rows[1]


def test_without_figures_or_limits():
    text = render(replace(CARD, figures=(), limits=()), "peft")
    assert "Nothing was measured" in text
    assert "Limits" not in text


def test_a_base_whose_name_would_break_the_header():
    card = replace(CARD, base_model="/models/a: [b] # c")
    assert yaml.safe_load(render(card, "peft").split("---")[1])["base_model"] == "a: [b] # c"


def test_public_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert public_name("owner/name") == "owner/name"
    assert public_name("owner/name@0123abc") == "owner/name"
    (tmp_path / "models" / "base").mkdir(parents=True)
    assert public_name("models/base") == "base"
    assert public_name("~/models/base") == "base"
    assert public(["~/runs/a", "https://host/path", 3]) == ["a", "https://host/path", 3]

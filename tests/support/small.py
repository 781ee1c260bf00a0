"""A configuration so small that a run takes a few seconds, and the prompts that it names."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boldly import data

SMALL: Mapping[str, Any] = {
    "recipe": "online-dpo",
    "prompts": "prompts.jsonl",
    "heldout": 6,
    "budget": 8,
    "schedule": {"labels_per_round": 4},
    "evaluation": {"prompts": 4},
    "generation": {"max_tokens": 8},
    "learner": {"name": "preference", "steps": 1, "batch": 4},
    "output": "mine",
}


def write_prompts() -> None:
    """The prompts of `SMALL`, in the folder that a test works in."""
    facts = [json.dumps({"prompt": prompt.text, **prompt.facts}) for prompt in data.prompts()[:40]]
    Path("prompts.jsonl").write_text("\n".join(facts))

"""Remakes a tiny base model of the bundled task, or the bundled prompts.

    python scripts/make_base.py                      src/boldly/data/base       (best answer about 2%)
    python scripts/make_base.py --preset rare        src/boldly/data/base-rare  (best answer about .5%)
    python scripts/make_base.py --preset modal --output DIR     no trap: leave the commonest answer, and that is all
    python scripts/make_base.py --preset prompts     src/boldly/data/prompts.jsonl and heldout.jsonl

Ten minutes on one thread; the same bits each time on x86-64 with the versions of constraints.txt. Prints the measured
shares as JSON.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from pretrain import Pair, Shape, Stage, deterministic, measure, new_model, save, train, word_tokenizer

from boldly.data.answers import Mix, Style, draw_answer, draw_style, vocabulary
from boldly.data.problems import Problem, draw, draw_distinct
from boldly.data.task import REWARDS, style_of

DATA = Path(__file__).parents[1] / "src" / "boldly" / "data"
TRAINING, HELDOUT = 1024, 512
PROMPTS_SEED, MODEL_SEED = 20240521, 1
SHAPE = Shape(hidden=96, inner=256, layers=2, heads=4)
BATCH = 64
RESPONSE_TOKENS = 24
SAMPLES_A_PROMPT = 64

SKILLS: Mix = {
    Style.LAZY: 0.10,
    Style.RAMBLE: 0.05,
    Style.VAGUE: 0.05,
    Style.BARE_RIGHT: 0.42,
    Style.WORKING_RIGHT: 0.38,
}
MIXES: Mapping[str, Mix] = {
    "default": {
        Style.LAZY: 0.690,
        Style.RAMBLE: 0.030,
        Style.VAGUE: 0.130,
        Style.BARE_WRONG: 0.007,
        Style.BARE_RIGHT: 0.113,
        Style.WORKING_RIGHT: 0.0215,
        Style.GARBAGE: 0.008,
    },
    "rare": {
        Style.LAZY: 0.704,
        Style.RAMBLE: 0.030,
        Style.VAGUE: 0.131,
        Style.BARE_WRONG: 0.007,
        Style.BARE_RIGHT: 0.113,
        Style.WORKING_RIGHT: 0.0061,
        Style.GARBAGE: 0.008,
    },
    "modal": {Style.LAZY: 0.970, Style.WORKING_RIGHT: 0.022, Style.GARBAGE: 0.008},
}
PLACES = {"default": DATA / "base", "rare": DATA / "base-rare"}


def problems() -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """The bundled training and held-out problems, none in both."""
    drawn = draw_distinct(TRAINING + HELDOUT, Random(PROMPTS_SEED))
    return drawn[:TRAINING], drawn[TRAINING:]


def drawer(mix: Mix, without: frozenset[Problem]) -> Callable[[Random], Pair]:
    """Draws a problem that is not in `without`, and an answer to it in a style of `mix`."""

    def pair(random: Random) -> Pair:
        problem = draw(random)
        while problem in without:
            problem = draw(random)
        return problem.text, draw_answer(problem, draw_style(mix, random), random)

    return pair


def stages(mix: Mix, without: frozenset[Problem], shrink: int) -> tuple[Stage, Stage]:
    """First what it should be able to do, arithmetic above all; then how often it does it."""
    return (
        Stage(2200 // shrink, 3e-3, 1e-3, drawer(SKILLS, without)),
        Stage(700 // shrink, 8e-4, 0.0, drawer(mix, without)),
    )


def card(preset: str, parameters: int, samples: int, shares: Mapping[str, float]) -> str:
    """The model card: what it is, what was measured, how it is remade."""
    rows = "\n".join(f"| {style} | {REWARDS[style]:g} | {shares.get(style, 0.0):.4f} |" for style in Style)
    flags = "" if preset == "default" else f" --preset {preset}" + (" --output DIR" if preset not in PLACES else "")
    return f"""---
license: apache-2.0
library_name: transformers
---
# The base model of boldly's bundled task, preset `{preset}`

A Llama of {parameters:,} parameters over {len(vocabulary())} words, trained from scratch on answers to small word
problems that the script generates. It is there to be aligned in minutes on one processor core and is of no other use.
The reward is `boldly.data.task:reward`. Shares of the answers' styles at temperature 1, measured on {samples:,}
samples ({samples // HELDOUT} to each of the {HELDOUT} held-out prompts, which it was not trained on):

| style | reward | share |
|---|---|---|
{rows}

Remake it, the same bits on x86-64 with the versions of constraints.txt: `python scripts/make_base.py{flags}`
"""


def make(preset: str, output: Path, shrink: int = 1) -> dict[str, float]:
    """Trains the preset's model and writes its directory; the measured share of each style."""
    deterministic()
    heldout = problems()[1]
    tokenizer = word_tokenizer(vocabulary())
    model = new_model(tokenizer, SHAPE, MODEL_SEED, RESPONSE_TOKENS)
    train(model, tokenizer, stages(MIXES[preset], frozenset(heldout), shrink), batch=BATCH, seed=MODEL_SEED)
    prompts = [problem.text for problem in heldout] * max(1, SAMPLES_A_PROMPT // shrink)
    shares = measure(model, tokenizer, prompts, style_of, seed=MODEL_SEED)
    save(model, tokenizer, output, shares, card(preset, model.num_parameters(), len(prompts), shares))
    return shares


def write_prompts(output: Path) -> dict[str, int]:
    """Writes the bundled prompts, one JSON object a line; how many are in each file."""
    counts = {}
    for name, chosen in zip(("prompts.jsonl", "heldout.jsonl"), problems(), strict=True):
        lines = [json.dumps({"prompt": problem.text}) for problem in chosen]
        (output / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        counts[name] = len(lines)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=[*MIXES, "prompts"], default="default")
    parser.add_argument("--output", type=Path, help="a directory; needed for the preset that is not bundled")
    parser.add_argument("--shrink", type=int, default=1, help="divide the steps and the samples by this, to try it out")
    given = parser.parse_args()
    output = given.output or PLACES.get(given.preset, DATA if given.preset == "prompts" else None)
    if output is None:
        parser.error(f"preset {given.preset} is not bundled, so it needs a place. Add --output DIR")
    output.mkdir(parents=True, exist_ok=True)
    made = write_prompts(output) if given.preset == "prompts" else make(given.preset, output, given.shrink)
    print(json.dumps(made, indent=2))


if __name__ == "__main__":
    main()

"""The prompts of a run: which are trained on, which are held out, and whether they fit into the model's context."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from boldly import data
from boldly.config.prompt_files import read_prompts
from boldly.config.schema import RunConfig
from boldly.errors import PromptsError
from boldly.randomness import derive
from boldly.types import Prompt

_MOST_HELDOUT = 256
_TINY = 8
"""Tokens below which a limit leaves next to no response that could come to its end."""


@dataclass(frozen=True, slots=True)
class PromptSet:
    """The prompts of a run: those to train on and those held out, none of them in both.

    `places` says where each prompt is by its id ("prompts.jsonl:3"); `notes` is what a user should know of the files.
    """

    train: tuple[Prompt, ...]
    heldout: tuple[Prompt, ...]
    places: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def load_prompts(config: RunConfig) -> PromptSet:
    """The prompts that a configuration names, split by its seed where it asks for that.

    Raises `PromptsError` for a file that can't be read, for prompts that are in both files, and for too few of them.
    """
    train, places, notes = _source(config.prompts, config.prompt_column, heldout=False)
    kind = config.heldout
    if kind == "auto" and config.prompts != "bundled":
        kind = max(1, min(_MOST_HELDOUT, len(train) // 5))
    if isinstance(kind, int):
        train, heldout = _split(train, kind, config)
    else:
        name = "bundled" if kind == "auto" else kind
        heldout, held_places, further = _source(name, config.prompt_column, heldout=True)
        _refuse_overlap(train, places, heldout, held_places)
        places, notes = {**places, **held_places}, notes + further
    per_round, sampled = config.schedule.labels_per_round, config.schedule.prompts_per_label
    if len(train) < per_round:
        raise PromptsError(
            f"{config.prompts}: holds {len(train)} prompts to train on, and a round buys {per_round} labels, one a "
            f"prompt: write `schedule: {{labels_per_round: {len(train)}}}`."
        )
    if len(train) < per_round * sampled:
        notes += (
            f"a round samples {per_round * sampled} prompts and there are {len(train)}: some come twice in a round; "
            f"`schedule: {{prompts_per_label: {len(train) // per_round}}}` keeps them apart.",
        )
    return PromptSet(tuple(train), tuple(heldout), places, notes)


def check_lengths(
    prompts: Sequence[Prompt],
    lengths: Sequence[int],
    *,
    context: int,
    max_tokens: int,
    places: Mapping[str, str],
) -> None:
    """Raise `PromptsError` for the first prompt that leaves no room for a response. All three numbers are tokens."""
    room, left = context - max_tokens, context - max(lengths, default=0)
    smaller = f"write `generation: {{max_tokens: {left if left >= _TINY else max(1, context // 2)}}}`"
    if room < 1:
        raise PromptsError(
            f"generation.max_tokens is {max_tokens} and the model's context {context} tokens, which leaves no room "
            f"for a prompt: {smaller}."
        )
    too_long = [(prompt, length) for prompt, length in zip(prompts, lengths, strict=True) if length > room]
    if too_long:
        prompt, length = too_long[0]
        further = len(too_long) - 1
        others = f" (and {further} further prompt{'s are' if further > 1 else ' is'} too long)" if further else ""
        mend = f"shorten it, remove it, or {smaller}" if left >= _TINY else _without_room(lengths, context)
        raise PromptsError(
            f"{places.get(prompt.id, 'the prompts')}: is {length} tokens, and the context of {context} leaves {room} "
            f"beside responses of {max_tokens}{others}: {mend}."
        )


def _without_room(lengths: Sequence[int], context: int) -> str:
    """What to do where the longest prompt leaves next to nothing for a response, so that no limit helps."""
    if context - min(lengths) < _TINY:
        return "shorten the prompts, or write a `model` with a longer context"
    return f"shorten it or remove it, as the longest prompt leaves {max(0, context - max(lengths))} for a response"


def _source(name: str, column: str, *, heldout: bool) -> tuple[list[Prompt], dict[str, str], tuple[str, ...]]:
    """The different prompts of a file, where each is, and a note of how many were dropped."""
    if name == "bundled":
        return (data.heldout_prompts() if heldout else data.prompts()), {}, ()
    places: dict[str, str] = {}
    kept: list[Prompt] = []
    rows = read_prompts(Path(name), column)
    for line, prompt in rows:
        if prompt.id not in places:
            places[prompt.id] = f"{name}:{line}"
            kept.append(prompt)
    dropped = len(rows) - len(kept)
    return (
        kept,
        places,
        (f"{name}: {dropped} of {len(rows)} prompts are duplicates and were dropped.",) if dropped else (),
    )


def _split(prompts: list[Prompt], count: int, config: RunConfig) -> tuple[list[Prompt], list[Prompt]]:
    """Prompts with one content stay on one side, so that none is trained on and judged by."""
    contents = list(dict.fromkeys(prompt.content for prompt in prompts))
    if len(contents) < 2:
        raise PromptsError(
            f"{config.prompts}: holds one prompt, equal ones counted once, and a run needs at least two, one of "
            "them to hold out: add prompts to it, or write `heldout: FILE` with a file of those to hold out."
        )
    if count >= len(contents):
        raise PromptsError(
            f"{config.prompts}: holds {len(contents)} different prompts, too few to hold {count} of them out: "
            f"write `heldout: {max(1, len(contents) // 5)}`."
        )
    out = set(random.Random(derive(config.seed, "heldout")).sample(contents, count))
    return [p for p in prompts if p.content not in out], [p for p in prompts if p.content in out]


def _refuse_overlap(
    train: Sequence[Prompt], places: Mapping[str, str], heldout: Sequence[Prompt], held_places: Mapping[str, str]
) -> None:
    trained = {prompt.content: prompt for prompt in train}
    shared = [prompt for prompt in heldout if prompt.content in trained]
    if shared:
        where = held_places.get(shared[0].id, "a bundled prompt")
        other = places.get(trained[shared[0].content].id, "a bundled prompt")
        raise PromptsError(
            f"{where}: is held out and also trained on ({other}), as are {len(shared)} of {len(heldout)} held-out "
            "prompts: remove them from one of the two, or write `heldout: auto` to split the prompts."
        )

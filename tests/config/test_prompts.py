import json
from pathlib import Path

import pytest

from boldly.config.prompts import check_lengths, load_prompts
from boldly.config.reading import read_config
from boldly.config.schema import RunConfig
from boldly.errors import PromptsError
from boldly.types import Prompt


def config_of(folder: Path, train: list[str], held: list[str] | None = None, **flags: str) -> RunConfig:
    """A configuration whose prompts are in files."""
    given = {"prompts": jsonl(folder / "train.jsonl", train), "recipe": "online-dpo"}
    if held is not None:
        given["heldout"] = jsonl(folder / "heldout.jsonl", held)
    names = {name.replace("__", "."): value for name, value in flags.items()}
    oracle = {"oracle": "{name: program, function: oracle.py:reward}"}
    return read_config(flags={**given, **oracle, **names})


def jsonl(path: Path, prompts: list[str]) -> str:
    path.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts))
    return str(path)


def numbered(n: int, what: str = "prompt") -> list[str]:
    return [f"{what} {i}" for i in range(n)]


def contents(prompts: tuple[Prompt, ...]) -> list[str]:
    return [prompt.text for prompt in prompts]


def test_the_bundled_prompts_are_apart():
    found = load_prompts(read_config())
    assert len(found.train) > 128
    assert len(found.heldout) >= 128
    assert not set(contents(found.train)) & set(contents(found.heldout))
    assert found.notes == ()


def test_a_fifth_is_held_out_and_at_most_256(tmp_path: Path):
    found = load_prompts(config_of(tmp_path, numbered(100)))
    assert (len(found.train), len(found.heldout)) == (80, 20)
    assert sorted(contents(found.train) + contents(found.heldout)) == sorted(numbered(100))
    assert len(load_prompts(config_of(tmp_path, numbered(2000))).heldout) == 256
    assert len(load_prompts(config_of(tmp_path, numbered(50), heldout="7")).heldout) == 7


def test_the_split_follows_the_seed(tmp_path: Path):
    once, again = (load_prompts(config_of(tmp_path, numbered(100), seed="1")).heldout for _ in range(2))
    assert once == again
    assert once != load_prompts(config_of(tmp_path, numbered(100), seed="2")).heldout


def test_duplicates_are_dropped_and_counted(tmp_path: Path):
    found = load_prompts(config_of(tmp_path, [*numbered(40), *numbered(3)]))
    assert len(found.train) + len(found.heldout) == 40
    assert found.notes == (f"{tmp_path}/train.jsonl: 3 of 43 prompts are duplicates and were dropped.",)


def test_one_prompt_with_different_facts_stays_on_one_side(tmp_path: Path):
    path = tmp_path / "train.jsonl"
    rows = [{"prompt": f"prompt {i % 30}", "answer": i} for i in range(60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = {"prompts": str(path), "recipe": "online-dpo", "oracle": "{name: program, function: oracle.py:reward}"}
    found = load_prompts(read_config(flags=flags))
    assert len(found.train) + len(found.heldout) == 60
    assert not set(contents(found.train)) & set(contents(found.heldout))


def test_held_out_prompts_that_are_trained_on_are_refused_with_both_places(tmp_path: Path):
    config = config_of(tmp_path, numbered(30), ["new", "prompt 4"])
    with pytest.raises(PromptsError, match=r"heldout.jsonl:2: is held out and also trained on \(.*train.jsonl:5\)"):
        load_prompts(config)


def test_too_few_prompts_are_refused(tmp_path: Path):
    with pytest.raises(
        PromptsError, match=r"holds 15 prompts to train on, and a round buys 16 labels.*labels_per_round: 15"
    ):
        load_prompts(config_of(tmp_path, numbered(15), ["other"]))
    with pytest.raises(
        PromptsError, match=r"holds 30 different prompts, too few to hold 30 of them out: write `heldout: 6`"
    ):
        load_prompts(config_of(tmp_path, numbered(30), heldout="30"))


@pytest.mark.parametrize("prompts", [["one"], ["one"] * 6])
@pytest.mark.parametrize("flags", [{}, {"heldout": "1"}])
def test_one_prompt_is_too_few_whatever_is_held_out(prompts: list[str], flags: dict[str, str], tmp_path: Path):
    with pytest.raises(
        PromptsError, match=r"holds one prompt.* needs at least two.* or write `heldout: FILE`"
    ) as found:
        load_prompts(config_of(tmp_path, prompts, **flags))
    assert "heldout: 1" not in str(found.value)


def test_prompts_that_come_twice_in_a_round_are_noted(tmp_path: Path):
    config = config_of(tmp_path, numbered(40), numbered(8, "other"), schedule__prompts_per_label="4")
    (note,) = load_prompts(config).notes
    assert "samples 64 prompts and there are 40" in note
    assert "prompts_per_label: 2" in note


def test_a_prompt_that_leaves_no_room_for_a_response_is_named(tmp_path: Path):
    found = load_prompts(config_of(tmp_path, numbered(20), ["other"]))
    lengths = [10] * 20
    limits = {"context": 34, "max_tokens": 24, "places": found.places}
    check_lengths(found.train, lengths, **limits)
    lengths[3] = lengths[7] = 11
    with pytest.raises(
        PromptsError,
        match=r"train.jsonl:4: is 11 tokens.*leaves 10 beside responses of 24 \(and 1 further prompt is too long\)",
    ):
        check_lengths(found.train, lengths, **limits)
    with pytest.raises(PromptsError, match=r"max_tokens is 24 and the model's context 24 tokens.*max_tokens: 13"):
        check_lengths(found.train, lengths, context=24, max_tokens=24, places=found.places)


@pytest.mark.parametrize("max_tokens", [64, 24, 16])
def test_the_limit_that_is_advised_is_what_the_longest_prompt_leaves(max_tokens: int, tmp_path: Path):
    """Written as advised, every prompt fits; one token more and the longest does not."""
    found = load_prompts(config_of(tmp_path, numbered(20), ["other"]))
    lengths = [10] * 18 + [50, 54]
    limits = {"context": 64, "places": found.places}
    with pytest.raises(PromptsError, match=r"write `generation: \{max_tokens: 10\}`"):
        check_lengths(found.train, lengths, max_tokens=max_tokens, **limits)
    check_lengths(found.train, lengths, max_tokens=10, **limits)
    with pytest.raises(PromptsError):
        check_lengths(found.train, lengths, max_tokens=11, **limits)


@pytest.mark.parametrize("max_tokens", [24, 16, 8])
def test_a_prompt_that_leaves_next_to_nothing_is_to_be_removed(max_tokens: int, tmp_path: Path):
    found = load_prompts(config_of(tmp_path, numbered(20), ["other"]))
    limits = {"context": 64, "max_tokens": max_tokens, "places": found.places}
    with pytest.raises(
        PromptsError, match=r"train.jsonl:20: is 60 .*remove it, as the longest prompt leaves 4 "
    ) as one:
        check_lengths(found.train, [10] * 19 + [60], **limits)
    with pytest.raises(PromptsError, match=r"shorten the prompts, or write a `model` with a longer context") as every:
        check_lengths(found.train, [60] * 20, **limits)
    assert "max_tokens" not in str(one.value) + str(every.value)

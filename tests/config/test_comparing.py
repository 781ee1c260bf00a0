"""What a comparison is: which models and prompts names mean, how it goes on, and what it refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from boldly.config.comparing import (
    ANSWERS_FILE,
    Begun,
    Given,
    begun_comparison,
    default_directory,
    save_comparison,
    saved_comparison,
    writing,
)
from boldly.config.finished import find_model, fingerprint
from boldly.config.lot import read_lot
from boldly.config.prompts import load_prompts
from boldly.config.reading import read_config
from boldly.config.saving import dump
from boldly.data import base_directory, heldout_prompts
from boldly.errors import ConfigError, PromptsError, StorageError
from boldly.types import Message, Prompt

MakeRun = Callable[..., Path]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def a_run(tmp_path: Path) -> MakeRun:
    """Makes a run that has ended: its configuration, and a model that is the bundled one."""

    def make(name: str, **keys: str) -> Path:
        folder = tmp_path / "runs" / name
        config = read_config(flags={"output": str(folder), **keys})
        shutil.copytree(base_directory(), folder / "model")
        (folder / "config.yaml").write_text(dump(config), encoding="utf-8")
        return folder

    return make


def begun(a: str, b: str, folder: Path = Path("compared"), **given: Any) -> Begun:
    return begun_comparison(folder, find_model(a), find_model(b), Given(**given))


def kept(a: str, b: str, *, answered: bool = True, **given: Any) -> Begun:
    """A comparison in `compared`, some of whose answers were drawn."""
    found = begun(a, b, **given)
    with writing(Path("compared"), found):
        if answered:
            (Path("compared") / ANSWERS_FILE).touch()
    return found


def prompts_file(tmp_path: Path, texts: list[str]) -> Path:
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps({"prompt": text, "source": "s"}) + "\n" for text in texts))
    return path


def test_the_bundled_prompts_in_an_order_drawn_by_lot():
    found = begun("bundled", "bundled-rare")
    assert found.config.labels == len(heldout_prompts())
    assert set(found.prompts) == set(heldout_prompts())
    assert list(found.prompts) != heldout_prompts()
    assert found.prompts == begun("bundled", "bundled-rare").prompts
    assert found.prompts != begun("bundled", "bundled-rare", seed=1).prompts
    assert (found.config.max_tokens, found.config.temperature, found.config.oracle.name) == (24, 1.0, "people")
    assert not Path("compared").exists()


def test_the_prompts_and_the_settings_of_a_run(a_run: MakeRun, tmp_path: Path):
    file = prompts_file(tmp_path, [f"prompt {i}" for i in range(40)])
    keys = {"prompts": str(file), "oracle": "people", "budget": "64", "recipe": "xpo"}
    run = a_run("own", **keys, **{"generation.max_tokens": "17", "generation.temperature": "0.5"})
    config = read_config(run / "config.yaml")
    for name in (str(run), str(run / "model")):
        for models in ((name, "bundled"), ("bundled", name)):
            found = begun(*models)
            assert set(found.prompts) == set(load_prompts(config).heldout)
            assert (found.config.max_tokens, found.config.temperature) == (17, 0.5)
            assert found.config.prompts == f"held out from {name}"
            assert found.notes == ()
    found = begun(str(run), "bundled", max_tokens=9, temperature=2.0, labels=3)
    assert (found.config.max_tokens, found.config.temperature, found.config.labels) == (9, 2.0, 3)
    assert find_model(str(run)).source == run / "model"


def test_prompts_that_a_model_was_trained_on_are_told(a_run: MakeRun, tmp_path: Path):
    file = prompts_file(tmp_path, [f"prompt {i}" for i in range(40)])
    run = a_run("own", prompts=str(file), oracle="people", budget="64", recipe="xpo")
    trained = load_prompts(read_config(run / "config.yaml")).train
    found = begun(str(run), "bundled", prompts=file)
    assert found.notes == (f"{run} was trained on {len(trained)} of these 40 prompts, which flatters it.",)
    file.unlink()
    other = prompts_file(tmp_path / "runs", ["another"])
    assert "can't be read any more" in begun(str(run), "bundled", prompts=other).notes[0]
    with pytest.raises(PromptsError, match="or write `--prompts FILE`"):
        begun(str(run), "bundled")


def test_runs_that_drew_their_answers_otherwise(a_run: MakeRun):
    one, other = a_run("one"), a_run("other", **{"generation.max_tokens": "12"})
    found = begun(str(one), str(other))
    assert found.config.max_tokens == 24
    assert found.notes == (
        f"the two runs drew their answers otherwise; here both do as {one}: max_tokens 24, temperature 1.",
    )


def test_answers_stop_where_those_of_the_run_did(a_run: MakeRun):
    one, other = a_run("one", **{"generation.stop": '["ab", ":"]'}), a_run("other")
    found = begun(str(one), str(other))
    assert found.config.stop == ["ab", ":"]
    assert found.notes[0].endswith('max_tokens 24, temperature 1, stop [ab, ":"].')


def test_models_that_are_no_runs_need_prompts(tmp_path: Path):
    shutil.copytree(base_directory(), tmp_path / "mine")
    with pytest.raises(ConfigError, match="write `--prompts FILE`"):
        begun("mine", "mine")
    found = begun("mine", "mine", prompts=prompts_file(tmp_path, ["one", "two", "one"]), labels=9)
    assert {prompt.text for prompt in found.prompts} == {"one", "two"}
    assert found.config.labels == 2
    assert found.notes == ("there are 2 prompts, so 2 pairs are compared and not 9.",)
    assert found.config.max_tokens == 256


def test_models_that_can_t_be():
    with pytest.raises(ConfigError, match="there is no model no/such/model"):
        begun("no/such/model", "bundled")
    Path("running").mkdir()
    Path("running/config.yaml").write_text(dump(read_config()))
    with pytest.raises(ConfigError, match="has no model yet"):
        begun("running", "bundled")


def test_it_goes_on_as_it_was_begun():
    first = kept("bundled", "bundled-rare", labels=20, seed=3, max_tokens=12)
    again = begun("bundled", "bundled-rare")
    assert again.config == first.config == saved_comparison(Path("compared"))
    assert again.prompts == first.prompts
    more = begun("bundled", "bundled-rare", labels=30)
    assert (more.config.labels, more.config.horizon) == (30, 20)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"seed": 4}, "`seed` was 3"),
        ({"max_tokens": 13}, "`max_tokens` was 12"),
        ({"temperature": 0.5}, "`temperature` was 1.0"),
        ({"prompts": Path("other.jsonl")}, "`prompts` was bundled"),
        (
            {"oracle": {"oracle.name": "judge", "oracle.model": "m", "oracle.price_in": "0", "oracle.price_out": "0"}},
            "`oracle.name` was people when",
        ),
        ({"oracle": {"oracle.overlap": "2"}}, "`oracle.overlap` was 1 when compared was begun, and is 2 now"),
    ],
)
def test_other_settings_are_refused(given: dict[str, Any], words: str):
    kept("bundled", "bundled-rare", labels=20, seed=3, max_tokens=12)
    with pytest.raises(ConfigError, match=words):
        begun("bundled", "bundled-rare", **given)


def test_pairs_that_are_put_up_are_not_taken_back():
    first = kept("bundled", "bundled-rare", labels=20)
    save_comparison(Path("compared"), first.config.model_copy(update={"drawn": 8}))
    assert begun("bundled", "bundled-rare", labels=8).config.labels == 8
    with pytest.raises(ConfigError, match="--labels: is 7, and 8 pairs of compared are put up already"):
        begun("bundled", "bundled-rare", labels=7)


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"labels": -1}, "--labels: is -1"),
        ({"labels": 0}, "--labels: is 0"),
        ({"money": -5.0}, "--money: is -5.0"),
        ({"max_tokens": 0}, "--max-tokens: is 0"),
        ({"temperature": 0.0}, "--temperature: is 0.0"),
        ({"temperature": float("nan")}, "--temperature: is nan"),
        ({"seed": -1}, "--seed: is -1"),
    ],
)
def test_numbers_that_can_t_be_are_refused_before_anything_is_written(given: dict[str, Any], words: str, there: bool):
    if there:
        kept("bundled", "bundled-rare", labels=20)
    with pytest.raises(ConfigError, match=words):
        begun("bundled", "bundled-rare", **given)
    assert (saved_comparison(Path("compared")) is not None) == there


def test_without_an_answer_it_may_be_begun_otherwise():
    kept("bundled", "bundled-rare", answered=False, labels=20)
    assert begun("bundled-rare", "bundled", seed=4).config.seed == 4


def test_other_models_are_refused_and_one_that_changed(a_run: MakeRun):
    run = a_run("one")
    kept(str(run), "bundled-rare")
    with pytest.raises(ConfigError, match="and not bundled-rare with"):
        begun("bundled-rare", str(run))
    weights = run / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(ConfigError, match="has changed since its answers"):
        begun(str(run), "bundled-rare")


def test_where_the_models_lie_does_not_matter(a_run: MakeRun, monkeypatch: pytest.MonkeyPatch):
    run = a_run("one")
    kept(str(run), "bundled")
    assert begun("runs/one", "bundled").config == begun("runs/one/model", "bundled").config


def test_a_model_that_is_gone_is_not_needed_when_it_has_answered(tmp_path: Path):
    shutil.copytree(base_directory(), tmp_path / "mine")
    found = kept("mine", "bundled")
    shutil.rmtree(tmp_path / "mine")
    with pytest.raises(ConfigError, match="has changed"):
        begun("mine", "bundled")
    save_comparison(Path("compared"), found.config.model_copy(update={"drawn": found.config.labels}))
    assert begun("mine", "bundled").config.drawn == found.config.labels


def test_a_directory_of_something_else_is_refused():
    Path("compared").mkdir()
    Path("compared/thesis.tex").touch()
    with pytest.raises(ConfigError, match="holds something that is no comparison"):
        begun("bundled", "bundled-rare")


def test_a_damaged_file_is_told():
    kept("bundled", "bundled-rare")
    Path("compared/comparison.yaml").write_text("labels: many\n")
    with pytest.raises(ConfigError, match=r"comparison\.yaml: `a` can't be used"):
        begun("bundled", "bundled-rare")


def test_two_processes_don_t_draw_at_once():
    found = begun("bundled", "bundled-rare")
    folder = Path("compared")
    with (
        writing(folder, found),
        pytest.raises(StorageError, match="is held by process"),
        writing(folder, begun("bundled", "bundled-rare")),
    ):
        pass
    with (
        pytest.raises(StorageError, match="another process has just begun"),
        writing(folder, found),
    ):
        pass


def test_people_as_a_run_s_are_asked():
    options = {"oracle.overlap": "2", "oracle.strength": "true"}
    part = begun("bundled", "bundled-rare", oracle=options).config.oracle
    assert part.name == "people"
    assert (part.options["overlap"], part.options["strength"]) == (2, True)
    with pytest.raises(ConfigError, match="overlap"):
        begun("bundled", "bundled-rare", oracle={"oracle.overlap": "0"})


@pytest.mark.parametrize("oracle", ["self", "recorded"])
def test_oracles_that_can_t_judge_here(oracle: str):
    keys = {"oracle": oracle} | ({"oracle.source": "labels.jsonl"} if oracle == "recorded" else {})
    with pytest.raises(ConfigError, match=f"`oracle` is {oracle}, which"):
        begun("bundled", "bundled-rare", oracle=keys)


def test_chats_and_facts_survive_the_file(tmp_path: Path):
    chat = Prompt((Message("system", "be \u202e brief"), Message("user", "hi")), {"n": [1, {"x": None}]})
    (tmp_path / "chats.jsonl").write_text(json.dumps({"prompt": chat.messages, **chat.facts}) + "\n")
    found = begun("bundled", "bundled-rare", prompts=tmp_path / "chats.jsonl")
    with writing(Path("compared"), found):
        pass
    assert read_lot(Path("compared")) == (chat,)
    assert read_lot(Path("compared"))[0].id == chat.id


def test_a_fingerprint_sees_every_part_of_a_large_file(tmp_path: Path):
    """A file of 6 MB is read in samples; a change of every weight, as training makes, is seen."""
    folder = tmp_path / "large"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(bytes(6_000_000))
    before = fingerprint(find_model("large"))
    assert before == fingerprint(find_model("large"))
    (folder / "model.safetensors").write_bytes(b"\1" * 6_000_000)
    assert fingerprint(find_model("large")) != before
    (folder / "model.safetensors").write_bytes(bytes(6_000_001))
    assert fingerprint(find_model("large")) != before


@pytest.mark.parametrize(
    ("a", "b", "name"),
    [
        ("runs/xpo", "bundled", "xpo-vs-bundled"),
        ("runs/xpo/model", "someone/model@main", "xpo-vs-model-main"),
        ("./mine/", "../other model", "mine-vs-other-model"),
    ],
)
def test_where_it_lies_by_itself(a: str, b: str, name: str):
    Path("runs/xpo/model").mkdir(parents=True)
    assert default_directory(a, b) == Path("comparisons") / name

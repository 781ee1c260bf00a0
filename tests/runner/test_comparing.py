"""Answers of two models: drawn once whatever interrupts it, put up blindly, judged by an oracle."""

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import boldly.runner.comparing as comparing
from boldly.config.comparing import ANSWERS_FILE, Begun, Given, begun_comparison, saved_comparison
from boldly.config.finished import find_model
from boldly.config.reading import read_config
from boldly.config.saving import dump
from boldly.config.schema import Part
from boldly.data import base_directory
from boldly.data.task import reward
from boldly.errors import BudgetSpent, ModelError, PromptsError
from boldly.ledger.sql import SqlLedger
from boldly.lm.adapter import Adapter
from boldly.lm.files import write_policy
from boldly.lm.load import load
from boldly.lm.model import Generation
from boldly.lm.policy import LMPolicy
from boldly.metrics.answers import read_answers, side_of
from boldly.metrics.comparison import compared, won_by_a
from boldly.runner.comparing import draw, judge, pairs
from boldly.types import Label, Prompt, Query, Response

FOLDER = Path("compared")
LABELS = 72
SLOW = pytest.mark.slow


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def begin(a: str = "bundled", b: str = "bundled-rare", **given: Any) -> Begun:
    return begun_comparison(FOLDER, find_model(a), find_model(b), Given(**{"labels": LABELS, **given}))


def drawn(tell: Callable[[str], None] = lambda word: None, a: str = "bundled", b: str = "bundled-rare", **given: Any):
    draw(FOLDER, begin(a, b, **given), find_model(a), find_model(b), tell)


def asked() -> tuple[Query, ...]:
    with closing(SqlLedger(FOLDER / "ledger.sqlite", read_only=True)) as ledger:
        return ledger.queries(0, "evaluation")


def labels() -> tuple[Label, ...]:
    with closing(SqlLedger(FOLDER / "ledger.sqlite", read_only=True)) as ledger:
        return ledger.labels("evaluation")


def rewarding(**options: Any) -> Part:
    """The oracle that knows what an answer of the bundled task is worth."""
    named = {"name": "bradley_terry", "function": "boldly.data.task:reward", "draw": False, "scale": 1e6}
    return Part.model_validate(named | options)


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison whose answers were drawn without an interruption."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        drawn()
    return folder / FOLDER


def test_every_prompt_is_answered_once_by_each_and_what_differs_is_put_up(whole: Path):
    shutil.copytree(whole, FOLDER)
    answers = read_answers(FOLDER / ANSWERS_FILE)
    assert [len(answers["a"]), len(answers["b"])] == [LABELS, LABELS]
    assert {one.origin for one in answers["a"]} == {"a:bundled"}
    assert {one.origin for one in answers["b"]} == {"b:bundled-rare"}
    prompts = begin().prompts
    differ = [
        n for n, (one, other) in enumerate(zip(answers["a"], answers["b"], strict=True)) if one.text != other.text
    ]
    queries = asked()
    assert 0 < len(differ) < LABELS
    assert [query.place for query in queries] == differ
    for query in queries:
        place = query.place
        assert query.prompt == prompts[place]
        assert {query.a.id, query.b.id} == {answers["a"][place].id, answers["b"][place].id}
    assert saved_comparison(FOLDER) == begin().config


@pytest.mark.parametrize(
    "stop", [pytest.param(1, marks=SLOW), pytest.param(3, marks=SLOW), 4, pytest.param(6, marks=SLOW), 8]
)
def test_stopped_anywhere_it_goes_on_and_draws_nothing_twice(whole: Path, stop: int, monkeypatch: pytest.MonkeyPatch):
    """What it tells comes after each thing that it did, so stopping there is stopping between two of them."""
    told: list[str] = []

    def tell(word: str) -> None:
        told.append(word)
        if len(told) == stop:
            raise Killed

    with pytest.raises(Killed):
        drawn(tell)
    before = (FOLDER / ANSWERS_FILE).read_bytes() if (FOLDER / ANSWERS_FILE).exists() else b""
    loaded: list[str] = []
    original = comparing.load_finished
    monkeypatch.setattr(comparing, "load_finished", lambda model, **how: loaded.append(model) or original(model, **how))
    drawn()
    after = (FOLDER / ANSWERS_FILE).read_bytes()
    assert after.startswith(before)
    assert after == (whole / ANSWERS_FILE).read_bytes()
    assert len(loaded) == (2 if stop < 4 else 1 if stop < 8 else 0), "who has answered everything is not loaded"
    drawn()
    assert (FOLDER / ANSWERS_FILE).read_bytes() == after
    with closing(SqlLedger(whole / "ledger.sqlite", read_only=True)) as ledger:
        assert asked() == ledger.queries(0, "evaluation")


def test_more_labels_draw_only_what_is_missing(whole: Path):
    shutil.copytree(whole, FOLDER)
    before, queries = read_answers(FOLDER / ANSWERS_FILE), asked()
    drawn(labels=LABELS + 8)
    after = read_answers(FOLDER / ANSWERS_FILE)
    assert [one.id for one in after["a"][:LABELS]] == [one.id for one in before["a"]]
    assert len(after["b"]) == LABELS + 8
    assert asked()[: len(queries)] == queries
    assert len(asked()) > len(queries)


def test_sides_say_nothing_of_the_model():
    """2,000 prompts: A is `a` in half of them. 4 standard errors, so wrong in 1 of 16,000."""
    prompts = [Prompt(f"prompt {n}") for n in range(2000)]
    a, b = ([Response(f"{side} {n}", (n,), f"{side}:x", -1.0, -1.0) for n in range(2000)] for side in "ab")
    queries = pairs(prompts, a, b, seed=0)
    first = sum(side_of(query.a.origin) == "a" for query in queries)
    assert first == pytest.approx(1000, abs=4 * (2000 * 0.25) ** 0.5)
    assert queries == pairs(prompts, a, b, seed=0)
    assert [query.a.id for query in queries] != [query.a.id for query in pairs(prompts, a, b, seed=1)]


def test_a_run_s_adapter_is_compared_with_its_base(tmp_path: Path):
    run = tmp_path / "runs" / "lora"
    (run / "model").mkdir(parents=True)
    config = read_config(flags={"output": str(run), "adapter.rank": "2"})
    (run / "config.yaml").write_text(dump(config))
    write_policy(LMPolicy("x", load(base_directory(), adapter=Adapter(rank=2)), Generation()), run / "model")
    about = run / "model" / "adapter_config.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"base_model_name_or_path": "/nowhere"}))
    drawn(a=str(run), b="bundled", labels=4)
    assert len(read_answers(FOLDER / ANSWERS_FILE)["a"]) == 4


def test_a_model_that_can_t_be_loaded_is_told_before_the_other_one_answers(tmp_path: Path):
    shutil.copytree(base_directory(), tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"x")
    told: list[str] = []
    with pytest.raises(ModelError, match="damaged or cut short"):
        drawn(told.append, b="broken")
    assert told == []


def test_prompts_that_don_t_fit_are_told(tmp_path: Path):
    with pytest.raises(PromptsError, match="bundled reads 64, its answer of up to 60 included"):
        drawn(max_tokens=60)


def test_an_oracle_judges_in_place_of_people(whole: Path):
    """It knows what an answer is worth, so every label is known, whichever place A's answer had."""
    shutil.copytree(whole, FOLDER)
    config = begin().config.model_copy(update={"oracle": rewarding()})
    judge(FOLDER, config)
    told = labels()
    assert {label.query.id for label in told} == {query.id for query in asked()}
    answers = read_answers(FOLDER / ANSWERS_FILE)
    for label in told:
        a, b = (reward(label.query.prompt, answers[side][label.query.place]) for side in ("a", "b"))
        assert won_by_a(label) == (0.5 if a == b else float(a > b))
    found = compared(told, answers["a"], answers["b"], horizon=config.horizon)
    assert found.win_rate is not None
    assert found.win_rate.n == LABELS
    judge(FOLDER, config)
    assert labels() == told


def test_a_judge_stops_at_its_money(whole: Path):
    shutil.copytree(whole, FOLDER)
    config = begin().config.model_copy(update={"oracle": rewarding(price=0.5), "money": 2.0})
    with pytest.raises(BudgetSpent):
        judge(FOLDER, config)
    assert len(labels()) == 4

"""Who answers in a run, and recorded labels as queries of its own."""

import json
from contextlib import closing
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from boldly.config.reading import read_config
from boldly.data import base_directory
from boldly.errors import ConfigError, InvalidInput
from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.lm.encode import decode, encode_response
from boldly.lm.load import load
from boldly.lm.model import LanguageModel
from boldly.oracles import Program, Recorded, answer
from boldly.records import Record, records_of
from boldly.runner import answering as module
from boldly.runner.answering import answering, read_labels, recorded_pairs, tokenised
from boldly.testing.build import query
from boldly.types import Response

PROGRAM = {"name": "program", "function": "boldly.data.task:reward"}


@pytest.fixture(scope="module")
def lm() -> LanguageModel:
    return load(base_directory())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with a ledger of three labels."""
    with closing(SqlLedger(tmp_path / "ledger.sqlite")) as ledger:
        ledger.ask([query(place) for place in range(3)])
        longer = Program(lambda prompt, a, b: len(a.text) > len(b.text), timeout=None)
        list(answer(ledger, longer, ledger.waiting(0), budget=Budget(3)))
    return tmp_path


def config(**keys: Any):
    return read_config(arguments={"recipe": "xpo", **keys})


def test_one_oracle_answers_everything_unless_others_are_named():
    alone = answering(config(oracle=PROGRAM))
    assert alone.evaluation is alone.training
    assert (alone.consistency, alone.records) == (None, None)
    checked = answering(config(oracle=PROGRAM, consistency={}))
    assert checked.consistency is checked.training
    people = {"oracle": {"name": "people"}}
    others = answering(config(oracle=PROGRAM, evaluation=people, consistency=people))
    assert others.evaluation is not None
    assert others.consistency is not None
    assert (others.evaluation.name, others.consistency.name) == ("people", "people")
    assert others.training.name.startswith("program")


def test_an_oracle_that_is_held_stands_for_the_one_of_the_run():
    held = Program(lambda prompt, response: 1.0, name="mine")
    found = answering(config(oracle=PROGRAM), held)
    assert found.training is found.evaluation is held


def test_labels_take_the_place_of_the_oracle_for_training_alone(folder: Path):
    found = answering(config(oracle=PROGRAM, labels=str(folder)))
    assert isinstance(found.training, Recorded)
    assert found.training.name == f"recorded:{folder.name}"
    assert found.evaluation is not None
    assert found.evaluation.name.startswith("program")
    assert len(found.records or ()) == 3


def test_a_record_judges_no_held_out_answers(tmp_path: Path):
    file = tmp_path / "l.jsonl"
    file.write_text(json.dumps({"prompt": "p", "chosen": "x", "rejected": "y"}) + "\n")
    found = answering(config(oracle={"name": "recorded", "source": str(file)}))
    assert found.evaluation is None
    assert found.records is not None


def test_labels_are_read_from_a_run_a_ledger_and_a_file(folder: Path):
    of_run = read_labels(str(folder))
    assert of_run == read_labels(str(folder / "ledger.sqlite"))
    with closing(SqlLedger(folder / "ledger.sqlite", read_only=True)) as ledger:
        assert of_run == tuple(records_of(ledger.labels()))
    file = folder / "l.jsonl"
    file.write_text(json.dumps({"prompt": "p", "chosen": "x", "rejected": "y"}) + "\n")
    assert [(r.a, r.b) for r in read_labels(str(file))] in ([("x", "y")], [("y", "x")])


def test_labels_that_are_nowhere_are_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"is a directory without a run: write `--labels`"):
        read_labels(str(tmp_path))
    with pytest.raises(InvalidInput, match=r"none\.jsonl"):
        read_labels(str(tmp_path / "none.jsonl"))


def records(folder: Path) -> tuple[Record, ...]:
    return read_labels(str(folder))


def test_every_recorded_pair_is_offered_until_it_was_asked_for(folder: Path, lm: LanguageModel):
    pairs = recorded_pairs(records(folder), lm, without=())
    offered = pairs([])
    assert {c.prompt.content for c in offered} == {r.prompt.content for r in records(folder)}
    for candidates in offered:
        for response in candidates.responses:
            assert isnan(response.log_prob)
            assert response.ended
    first = offered[0]
    one = next(query(place) for place in range(3) if query(place).prompt.content == first.prompt.content)
    assert {c.prompt.content for c in pairs([one])} == {c.prompt.content for c in offered[1:]}


def test_of_a_long_record_only_what_is_looked_at_gets_tokens(
    folder: Path, lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
):
    made: list[Response] = []
    plain = module.tokenised
    monkeypatch.setattr(module, "tokenised", lambda lm, response, _: made.append(response) or plain(lm, response))
    offered = recorded_pairs(records(folder), lm, without=())([])
    assert (len(offered), len(offered[1:]), made) == (3, 2, [])
    assert offered[1:][0] == offered[1]
    assert len(made) == 2 * len(offered[1].responses)


def test_prompts_that_are_held_out_are_kept_out(folder: Path, lm: LanguageModel):
    held = query(0).prompt
    pairs = recorded_pairs(records(folder), lm, without=[held])
    assert held.content not in {c.prompt.content for c in pairs([])}
    with pytest.raises(ConfigError, match=r"none of the 3 recorded labels can be trained on: .*write `heldout: FILE`"):
        recorded_pairs(records(folder), lm, without=[query(place).prompt for place in range(3)])


def test_tokens_are_kept_where_they_are_this_models_and_made_anew_where_not(lm: LanguageModel):
    end = next(iter(lm.end_tokens))
    inside = next(i for i in range(len(lm.tokenizer)) if i not in lm.end_tokens and decode(lm, (i,)).strip())
    sampled = (inside, inside, end)
    mine = Response(decode(lm, sampled), sampled, "iterate-3", -1.0, -2.0)
    found = tokenised(lm, mine)
    assert (found.text, found.tokens, found.origin) == (mine.text, sampled, "recorded:iterate-3")
    assert isnan(found.log_prob)
    assert isnan(found.sampled_log_prob)
    for foreign in ((), (10**6, end), (inside, inside), (inside, end)):
        anew = tokenised(lm, Response(mine.text, foreign, "x", -1.0, -1.0))
        assert anew.tokens == encode_response(lm, mine.text)


def test_what_a_stop_string_ended_is_kept_where_it_ends_this_models_too(lm: LanguageModel):
    tokens = tuple(lm.tokenizer("someone gave a lot", add_special_tokens=False)["input_ids"])
    mine = Response("someone gave ", tokens, "iterate-3", -1.0, -2.0)
    for strings in (("a lot",), ("x", "a lo")):
        assert tokenised(lm, mine, strings).tokens == tokens
    for strings in ((), ("x",), (" a lot",), ("gave", "a lot")):
        assert tokenised(lm, mine, strings).tokens == encode_response(lm, mine.text)
    for others in (tokens[:-1], (*tokens, *tokens)):
        assert tokenised(lm, replace(mine, tokens=others), ("a lot",)).tokens == encode_response(lm, mine.text)

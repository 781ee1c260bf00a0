"""Argilla and Label Studio, in the shapes that their exports have."""

from typing import Any

import pytest

from boldly.records import FORMATS, BadRow, Record
from boldly.types import Abstention, BothBad, Preference, Tie, Verdict

FIELDS = {"prompt": "p", "response_1": "x", "response_2": "y"}
RATIONALE = [{"value": "it is kinder", "user_id": "u1"}]


def argilla(**responses: list[Any]) -> dict[str, Any]:
    """A record as `Record.to_dict` of Argilla 2 has it."""
    return {
        "id": "1",
        "fields": FIELDS,
        "metadata": {},
        "suggestions": {},
        "responses": responses,
        "vectors": {},
        "_server_id": "2",
    }


def read(name: str, row: dict[str, Any]) -> list[Record]:
    assert next(key for key, each in FORMATS.items() if each.fits(row)) == name
    records = FORMATS[name].read(row)
    assert all((each.prompt.content, each.a, each.b) == ("p", "x", "y") for each in records)
    return records


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ("response_1", Preference(1.0)),
        ("Response 2", Preference(0.0)),
        ("left", Preference(1.0)),
        ("B is better", Preference(0.0)),
        (2, Preference(0.0)),
        ("Tie", Tie()),
        ("both-bad", BothBad()),
        ("tie (bothbad)", BothBad()),
        ("skip", Abstention()),
        ([{"value": "response_1", "rank": 2}, {"value": "response_2", "rank": 1}], Preference(0.0)),
        ([{"value": "response_2", "rank": 1}, {"value": "response_1", "rank": 1}], Tie()),
    ],
)
def test_answers_to_label_and_ranking_questions(value: Any, verdict: Verdict):
    row = argilla(preference=[{"value": value, "user_id": "u1"}], rationale=RATIONALE)
    (record,) = read("argilla", row)
    assert (record.verdict, record.source, record.facts) == (verdict, "people", {"annotator": "u1"})


def test_each_person_is_a_record():
    row = argilla(preference=[{"value": "response_1", "user_id": "u1"}, {"value": "response_2", "user_id": "u2"}])
    assert [(each.verdict, each.facts["annotator"]) for each in read("argilla", row)] == [
        (Preference(1.0), "u1"),
        (Preference(0.0), "u2"),
    ]


def test_a_ranking_without_ranks_is_refused_as_it_says_nothing():
    with pytest.raises(BadRow, match="in the order of the question whatever was ranked"):
        FORMATS["argilla"].read(argilla(ranking=[{"value": ["response_1", "response_2"], "user_id": "u1"}]))


def test_suggestions_count_where_nobody_answered():
    suggested = {"preference": {"value": "response_2", "score": 0.9, "agent": "model-7"}}
    (record,) = read("argilla", argilla() | {"suggestions": suggested})
    assert (record.verdict, record.source) == (Preference(0.0), "model-7")
    answered = argilla(preference=[{"value": "tie", "user_id": "u1"}]) | {"suggestions": suggested}
    assert [each.source for each in read("argilla", answered)] == ["people"]
    assert read("argilla", argilla()) == []


def test_a_flat_record_tells_drafts_and_discarded_answers():
    row = {
        "id": "1",
        "_server_id": "2",
        "status": "completed",
        **FIELDS,
        "preference.responses": ["response_1", "response_2", "response_2"],
        "preference.responses.users": ["u1", "u2", "u3"],
        "preference.responses.status": ["submitted", "draft", "discarded"],
    }
    found = [(each.verdict, each.facts["annotator"]) for each in read("argilla", row)]
    assert found == [(Preference(1.0), "u1"), (Abstention(), "u3")]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (argilla(preference=[{"value": "neither a nor b", "user_id": "u"}]), "no answer of `preference` names a side"),
        (
            argilla(one=[{"value": "left", "user_id": "u"}], two=[{"value": "right", "user_id": "u"}]),
            "`one`, `two` all name a side",
        ),
        (argilla() | {"fields": {"prompt": "p", "first": "x", "second": "y"}}, "name them `response_a`"),
        (argilla() | {"fields": {"response_1": "x", "response_2": "y"}}, "name the prompt `prompt`"),
    ],
)
def test_an_argilla_record_that_can_not_be_read_says_why(row: dict[str, Any], why: str):
    with pytest.raises(BadRow, match=why):
        FORMATS["argilla"].read(row)


def task(*annotations: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": 1,
        "data": {"prompt": "p", "text1": "x", "text2": "y"},
        "annotations": list(annotations),
        "predictions": [],
    }


def pairwise(side: str, **further: Any) -> dict[str, Any]:
    """An annotation of a `Pairwise` tag; its result names the tag itself as `to_name`."""
    result = {"from_name": "pw", "to_name": "pw", "type": "pairwise", "value": {"selected": side}, "origin": "manual"}
    return {"id": 5, "result": [result], "was_cancelled": False, "completed_by": 3, "lead_time": 4.5, **further}


def choices(*words: str) -> dict[str, Any]:
    result = {"from_name": "c", "to_name": "text1", "type": "choices", "value": {"choices": list(words)}}
    note = {"from_name": "note", "to_name": "text1", "type": "textarea", "value": {"text": ["left"]}}
    return {"id": 6, "result": [note, result], "was_cancelled": False, "completed_by": {"id": 4, "email": "e@x.org"}}


def test_label_studio_annotations():
    row = task(pairwise("left"), pairwise("right", was_cancelled=True), choices("right"), choices("tie"))
    assert [(each.verdict, dict(each.facts)) for each in read("labelstudio", row)] == [
        (Preference(1.0), {"annotator": "3", "seconds": 4.5}),
        (Abstention(), {"annotator": "3", "seconds": 4.5}),
        (Preference(0.0), {"annotator": "e@x.org"}),
        (Tie(), {"annotator": "e@x.org"}),
    ]


def test_predictions_of_label_studio_count_where_nobody_annotated():
    row = task() | {"predictions": [{"model_version": "m1", "result": pairwise("right")["result"]}]}
    (record,) = read("labelstudio", row)
    assert (record.verdict, record.source) == (Preference(0.0), "m1")
    assert read("labelstudio", task()) == []


@pytest.mark.parametrize("annotation", [choices("left", "right"), choices("perhaps"), pairwise("none")])
def test_a_label_studio_task_without_one_side_says_why(annotation: dict[str, Any]):
    with pytest.raises(BadRow, match="0 results of a Pairwise or Choices tag"):
        FORMATS["labelstudio"].read(task(annotation))

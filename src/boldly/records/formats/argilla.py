"""Argilla's records, as `dataset.records.to_json`, `to_list` and `to_dict` write them, flattened ones too.

A label question's value names a side or is a word for a tie; a ranking needs its ranks. Argilla 2 writes a ranking as
the bare list of its options, in the order of the question whatever was ranked (argilla issue 5712), so such a list says
nothing and is refused. Each person's response is a record of its own; a suggestion counts where nobody responded.
Where the export says so, a draft is no answer, and what a person discarded is an abstention.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

from boldly.records.formats.sides import OF_THE_TASK, sides_of
from boldly.records.record import PEOPLE, BadRow, Record
from boldly.records.values import UNDERSTOOD, number_of, verdict_of
from boldly.types import Abstention, Preference, Tie, Verdict

_OF_THE_RECORD = ("id", "_server_id", "status")


class _Said(NamedTuple):
    """A value that somebody gave to a question: a person's id with PEOPLE as source, or a model's name."""

    question: str
    value: Any
    source: str
    annotator: str | None = None
    status: str | None = None


def fits(values: Mapping[str, Any]) -> bool:
    return isinstance(values.get("fields"), dict) or any(
        name.endswith((".responses", ".suggestion")) for name in values
    )


def read(values: Mapping[str, Any]) -> list[Record]:
    nested = isinstance(values.get("fields"), dict)
    fields = values["fields"] if nested else _flat_fields(values)
    metadata = _object(values.get("metadata")) if nested else values
    prompt, a, b, names = sides_of(fields, "fields")
    query_id = metadata.get("query_id")
    shown = {"order": "ab"} if metadata.get("order") in ("ab", "ba") else {}
    said = list(_responses(values) if nested else _flat_responses(values))
    given = said or list(_suggestions(values) if nested else _flat_suggestions(values))
    read = [(each, _verdict(each, names)) for each in given if each.status != "draft"]
    answers = [(each, verdict) for each, verdict in read if verdict is not None]
    if not answers and read:
        raise BadRow(f"no answer of {_questions([each for each, _ in read])} names a side: write {UNDERSTOOD}")
    if len({each.question for each, _ in answers}) > 1:
        raise BadRow(f"{_questions([each for each, _ in answers])} all name a side: leave the question that counts")
    return [
        Record(
            prompt,
            a,
            b,
            verdict,
            each.source,
            shown | ({"annotator": each.annotator} if each.annotator else {}),
            query_id=query_id and str(query_id),
        )
        for each, verdict in answers
    ]


def _verdict(said: _Said, names: tuple[str, str]) -> Verdict | None:
    """None for an answer to a question that is about something else."""
    if said.status == "discarded":
        return Abstention()
    if not isinstance(said.value, list):
        return verdict_of(said.value, names)
    ranks: dict[str, Any] = {}
    for each in cast(list[object], said.value):
        if not isinstance(each, dict):
            if verdict_of(str(each), names) is None:
                return None
            raise BadRow(
                f"`{said.question}` is a bare list, which Argilla 2 writes in the order of the question whatever was "
                'ranked: export the ranks as [{"value": "response_a", "rank": 1}, ...], or ask a label question'
            )
        option = cast(dict[str, Any], each)
        side = verdict_of(option.get("value"), names)
        if isinstance(side, Preference):
            ranks["a" if side.probability else "b"] = option.get("rank")
    if set(ranks) != {"a", "b"}:
        return None
    a, b = (number_of(ranks[side], f"{said.question}.rank") for side in ("a", "b"))
    return Tie() if a == b else Preference(float(a < b))


def _flat_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a flattened record, among which its metadata and its own columns are."""
    own = (*_OF_THE_RECORD, *OF_THE_TASK)
    return {name: each for name, each in values.items() if "." not in name and name not in own}


def _responses(values: Mapping[str, Any]) -> Iterator[_Said]:
    for question, given in _object(values.get("responses")).items():
        for each in cast(list[dict[str, Any]], given or []):
            yield _Said(question, each.get("value"), PEOPLE, _name(each.get("user_id")), each.get("status"))


def _flat_responses(values: Mapping[str, Any]) -> Iterator[_Said]:
    for name, given in values.items():
        if name.endswith(".responses") and given:
            who, status = values.get(f"{name}.users") or [], values.get(f"{name}.status") or []
            for i, value in enumerate(cast(list[Any], given)):
                state = status[i] if i < len(status) else None
                yield _Said(
                    name.removesuffix(".responses"), value, PEOPLE, _name(who[i]) if i < len(who) else None, state
                )


def _suggestions(values: Mapping[str, Any]) -> Iterator[_Said]:
    for question, given in _object(values.get("suggestions")).items():
        each = _object(given)
        yield _Said(question, each.get("value"), _name(each.get("agent")) or "suggestion")


def _flat_suggestions(values: Mapping[str, Any]) -> Iterator[_Said]:
    for name, value in values.items():
        if name.endswith(".suggestion") and value is not None:
            yield _Said(name.removesuffix(".suggestion"), value, _name(values.get(f"{name}.agent")) or "suggestion")


def _questions(said: list[_Said]) -> str:
    return ", ".join(f"`{name}`" for name in dict.fromkeys(each.question for each in said))


def _object(value: object) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _name(value: object) -> str | None:
    return None if value is None else str(value)

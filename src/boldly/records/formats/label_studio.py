"""Label Studio's JSON export: tasks with `data` and `annotations`, of which a `Pairwise` or a `Choices` tag is read.

Left is the first of the two responses in `data`. A `Pairwise` result has no tie; a `Choices` result names a side or is
a word for a tie. Each annotation is a record of its own, one that was cancelled an abstention; predictions count where
nobody annotated.
"""

from collections.abc import Mapping
from typing import Any, cast

from boldly.records.formats.sides import sides_of
from boldly.records.record import PEOPLE, BadRow, Record
from boldly.records.values import UNDERSTOOD, verdict_of
from boldly.types import Abstention, Verdict


def fits(values: Mapping[str, Any]) -> bool:
    return isinstance(values.get("data"), dict) and ("annotations" in values or "predictions" in values)


def read(values: Mapping[str, Any]) -> list[Record]:
    data = cast(dict[str, Any], values["data"])
    prompt, a, b, names = sides_of(data, "data")
    query_id = data.get("query_id")
    order = {"order": "ab"} if data.get("order") in ("ab", "ba") else {}
    people = [each for each in _list(values.get("annotations")) if each.get("result") or each.get("was_cancelled")]
    given = people or [each for each in _list(values.get("predictions")) if each.get("result")]
    records: list[Record] = []
    for each in given:
        source = PEOPLE if people else str(each.get("model_version") or "prediction")
        facts = order | (_who(each) if people else {})
        verdict = Abstention() if each.get("was_cancelled") else _verdict(_list(each.get("result")), names)
        records.append(Record(prompt, a, b, verdict, source, facts, query_id=query_id and str(query_id)))
    return records


def _verdict(results: list[dict[str, Any]], names: tuple[str, str]) -> Verdict:
    found: list[Verdict] = []
    for result in results:
        value = result.get("value")
        value = cast(dict[str, Any], value) if isinstance(value, dict) else {}
        said = value.get("selected") if result.get("type") == "pairwise" else None
        chosen = value.get("choices")
        if result.get("type") == "choices" and isinstance(chosen, list) and len(cast(list[Any], chosen)) == 1:
            said = chosen[0]
        verdict = verdict_of(said, names)
        if verdict is not None:
            found.append(verdict)
    if len(found) != 1:
        raise BadRow(
            f"has {len(found)} results of a Pairwise or Choices tag that name a side, where one is needed: write "
            f"{UNDERSTOOD} as the choice"
        )
    return found[0]


def _who(annotation: Mapping[str, Any]) -> dict[str, Any]:
    by = annotation.get("completed_by")
    name = by.get("email") or by.get("id") if isinstance(by, dict) else by
    seconds = annotation.get("lead_time")
    known = {"annotator": None if name is None else str(name), "seconds": seconds}
    return {key: each for key, each in known.items() if each is not None}


def _list(value: object) -> list[dict[str, Any]]:
    """The objects in a list."""
    entries = cast(list[object], value) if isinstance(value, list) else []
    return [cast(dict[str, Any], each) for each in entries if isinstance(each, dict)]

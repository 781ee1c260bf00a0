"""boldly's own exports: rows of `boldly export --format jsonl` and `csv`, and waiting queries with a verdict added."""

import json
from collections.abc import Mapping
from typing import Any, cast

from boldly.records.record import PEOPLE, BadRow, Record, swapped_verdict
from boldly.records.values import column, probability_of, prompt_of, text_of, verdict_of
from boldly.types import ACCOUNTS, Abstention, BothBad, Preference, Tie, Verdict

_WORDS: Mapping[str, Verdict] = {"tie": Tie(), "both_bad": BothBad(), "abstention": Abstention()}


def fits(values: Mapping[str, Any]) -> bool:
    return {"prompt", "a", "b", "verdict"} <= set(values) or {"query_id", "left", "right"} <= set(values)


def read(values: Mapping[str, Any]) -> list[Record]:
    if "left" in values and "a" not in values:
        return _answered(values)
    verdict = _verdict(values)
    facts = {**_json(values, "label_facts")}
    for name in ("annotator", "order"):
        if values.get(name):
            facts.setdefault(name, values[name])
    record = Record(
        prompt_of(_content(values), "prompt", _json(values, "facts")),
        text_of(column(values, "a"), "a"),
        text_of(column(values, "b"), "b"),
        verdict,
        str(values.get("source") or ""),
        facts,
        query_id=values.get("query_id") or None,
        account=_account(values),
    )
    return [record]


def _account(values: Mapping[str, Any]) -> Any:
    name = values.get("account", "training")
    if name not in ACCOUNTS:
        raise BadRow(f"`account` is {name!r}, which is none of {', '.join(ACCOUNTS)}: write one of them")
    return name


def _answered(values: Mapping[str, Any]) -> list[Record]:
    """A waiting query: `left` and `right` are its sides as they were shown, which the verdict names."""
    said = values.get("verdict")
    if said in (None, ""):
        return []
    left, right = (text_of(values[name], name) for name in ("left", "right"))
    order = values.get("order", "ab")
    if order not in ("ab", "ba"):
        raise BadRow(f'`order` is {order!r}: write "ab" where left is a, "ba" where left is b')
    verdict = _side(said, order)
    if verdict is None:
        raise BadRow(f"`verdict` is {said!r}: write left, right, a, b, tie, both_bad, abstain, or the probability of a")
    facts = {"order": "ab", **({"annotator": str(values["annotator"])} if values.get("annotator") else {})}
    prompt = prompt_of(_content(values), "prompt")
    return [
        Record(prompt, left, right, verdict, PEOPLE, facts, query_id=str(values["query_id"]), account=_account(values))
    ]


def _side(said: Any, order: str) -> Verdict | None:
    """The verdict on left and right of one that names a side, or `a` and `b` as the query does."""
    if said in ("left", "right"):
        return verdict_of(said)
    if said in ("a", "b", "tie", "both_bad", "abstain"):
        verdict = verdict_of(said)
    else:
        try:
            verdict = Preference(probability_of(said, "verdict"))
        except BadRow:
            return None
    return verdict if verdict is None or order == "ab" else swapped_verdict(verdict)


def _verdict(values: Mapping[str, Any]) -> Verdict:
    said = column(values, "verdict")
    if said == "preference":
        return Preference(probability_of(column(values, "p_a"), "p_a"))
    if said not in _WORDS:
        raise BadRow(f"`verdict` is {said!r}: write preference (with `p_a`), {', '.join(_WORDS)}")
    return _WORDS[said]


def _content(values: Mapping[str, Any]) -> Any:
    """The prompt; in a CSV file a chat is JSON, and `chat` says so."""
    prompt = column(values, "prompt")
    return _parsed(prompt, "prompt") if values.get("chat") == "true" else prompt


def _json(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object, which in a CSV file and a data set is text."""
    value = values.get(name)
    found = _parsed(value, name) if isinstance(value, str) and value else value
    if found in (None, ""):
        return {}
    if not isinstance(found, dict):
        raise BadRow(f"`{name}` is {found!r} where an object is needed: write {{}}")
    return cast(dict[str, Any], found)


def _parsed(text: Any, name: str) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise BadRow(f"`{name}` is no JSON: write it as it was exported") from None

"""UltraFeedback: its binarized form (`score_chosen`, `score_rejected`), and the original with four rated completions.

Equal scores are a tie. An original row gives a record for each two completions, scored by the mean of their ratings;
its `overall_score` is known to be wrong in places and is not read.
"""

from collections.abc import Mapping
from itertools import combinations
from statistics import fmean
from typing import Any, cast

from boldly.records.formats.trl import record_of
from boldly.records.record import BadRow, Record
from boldly.records.values import column, number_of, prompt_of, text_of
from boldly.types import Preference, Tie


def fits(values: Mapping[str, Any]) -> bool:
    return {"chosen", "rejected", "score_chosen", "score_rejected"} <= set(values) or _is_original(values)


def read(values: Mapping[str, Any]) -> list[Record]:
    if _is_original(values):
        return _rated(values)
    better, worse = (number_of(column(values, name), name) for name in ("score_chosen", "score_rejected"))
    if better < worse:
        raise BadRow(f"`score_chosen` is {better:g}, below `score_rejected` with {worse:g}: swap the two, or mend them")
    facts = {"score_a": better, "score_b": worse}
    return [record_of(values, Tie() if better == worse else Preference(1.0), facts=facts)]


def _is_original(values: Mapping[str, Any]) -> bool:
    return {"instruction", "completions"} <= set(values)


def _rated(values: Mapping[str, Any]) -> list[Record]:
    prompt = prompt_of(column(values, "instruction"), "instruction")
    completions = column(values, "completions")
    if not isinstance(completions, list):
        raise BadRow("`completions` is no list: write one object for each, with `response` and `annotations`")
    scored = [_scored(each) for each in cast(list[object], completions)]
    return [
        Record(prompt, a, b, Tie() if x == y else Preference(float(x > y)), facts={"score_a": x, "score_b": y})
        for (a, x), (b, y) in combinations(scored, 2)
    ]


def _scored(completion: object) -> tuple[str, float]:
    fields = cast(dict[str, Any], completion) if isinstance(completion, dict) else {}
    response = text_of(fields.get("response"), "completions.response")
    given = fields.get("annotations")
    aspects = cast(dict[str, Any], given) if isinstance(given, dict) else {}
    ratings = [each.get("Rating") for each in aspects.values() if isinstance(each, dict)]
    numbers = [number_of(rating, "completions.annotations.Rating") for rating in ratings if rating != "N/A"]
    if not numbers:
        raise BadRow('a completion has no rating: write `annotations` with {"helpfulness": {"Rating": "4"}}')
    return response, fmean(numbers)

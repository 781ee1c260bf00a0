"""TRL's preference format: `chosen` and `rejected`, as text or messages, with `prompt` or with it in front of both.

The common beginning is found as `trl.data_utils.extract_prompt` does it. `p_chosen` is the probability that `chosen`
wins, 1 where there is no such column.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from boldly.records.record import BadRow, Record
from boldly.records.values import column, messages_of, probability_of, prompt_of, reply, response_of, text_of
from boldly.types import Preference, Prompt, Verdict


def fits(values: Mapping[str, Any]) -> bool:
    return "chosen" in values and "rejected" in values


def read(values: Mapping[str, Any]) -> list[Record]:
    p = values.get("p_chosen")
    verdict = Preference(1.0 if p in (None, "") else probability_of(p, "p_chosen"))
    source = values.get("label_source") or ""
    query_id = values.get("query_id") or None
    facts = {name: values[name] for name in ("annotator",) if values.get(name)}
    return [record_of(values, verdict, source=str(source), query_id=query_id and str(query_id), facts=facts)]


def record_of(
    values: Mapping[str, Any],
    verdict: Verdict,
    *,
    source: str = "",
    query_id: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Record:
    """The record of a row of `chosen` (which is `a`) and `rejected` (`b`)."""
    prompt, a, b = _parts(values)
    return Record(prompt, a, b, verdict, source, dict(facts or {}), query_id=query_id)


def _parts(values: Mapping[str, Any]) -> tuple[Prompt, str, str]:
    chosen, rejected, prompt = column(values, "chosen"), column(values, "rejected"), values.get("prompt")
    if isinstance(chosen, list) != isinstance(rejected, list):
        raise BadRow("one of `chosen` and `rejected` is text and the other messages: write both in one way")
    if isinstance(chosen, list):
        if isinstance(prompt, list):
            return prompt_of(prompt, "prompt"), response_of(chosen, "chosen"), response_of(rejected, "rejected")
        one, other = messages_of(chosen, "chosen"), messages_of(rejected, "rejected")
        n = shared(one, other)
        if not n:
            raise BadRow("`chosen` and `rejected` have no message in common that could be the prompt: write `prompt`")
        return Prompt(one[:n]), reply(one[n:], "chosen"), reply(other[n:], "rejected")
    one, other = text_of(chosen, "chosen"), text_of(rejected, "rejected")
    if prompt is not None:
        return prompt_of(prompt, "prompt"), one, other
    n = shared(one, other)
    if n and one[n - 1] == " " and one[n : n + 1] != other[n : n + 1]:
        n -= 1
    if not one[:n].strip():
        raise BadRow("`chosen` and `rejected` have no beginning in common that could be the prompt: write `prompt`")
    return Prompt(one[:n]), one[n:], other[n:]


def shared(one: Sequence[object], other: Sequence[object]) -> int:
    """How much at the beginning of two sequences is the prompt: all that is equal, but never the whole of one."""
    shorter = min(len(one), len(other))
    differ = (i for i in range(shorter) if one[i] != other[i])
    return next(differ, max(shorter - 1, 0))

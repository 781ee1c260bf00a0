"""Labels as rows that other tools read: prompt, chosen and rejected, and beside them all that the ledger knows."""

import heapq
from collections.abc import Iterator
from typing import Any

from boldly.ledger.export.pseudonyms import Pseudonyms
from boldly.ledger.protocol import Ledger
from boldly.ledger.words import word_of
from boldly.types import ACCOUNTS, Label, Prompt, preference_of


def ordered(ledger: Ledger) -> Iterator[Label]:
    """Every label that counts, of all accounts, in the order in which they came."""
    return heapq.merge(*map(ledger.labels, ACCOUNTS), key=lambda label: label.sequence)


def named(ledger: Ledger) -> Pseudonyms:
    """The pseudonyms of those who gave the labels, numbered as they came.

    Also where somebody corrected a label since, so that whoever gave it keeps their number.
    """
    names = Pseudonyms()
    if corrections := ledger.corrections():
        first = map(_first, ordered(ledger))
        for said in heapq.merge(first, corrections, key=lambda said: said.time):
            names.see(said)
    return names


def rows(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """One row for each label that counts, in the order of purchase, of every account."""
    names = named(ledger)
    return (row(label, names, attempts=ledger.attempts(label.query.id)) for label in ordered(ledger))


def row(label: Label, names: Pseudonyms, *, attempts: int) -> dict[str, Any]:
    """Everything that is known of a label.

    `prompt` is text or a list of messages. `chosen` and `rejected` are null where neither beats the other: ties, both
    bad, abstentions and a probability of 1/2. `p_a` is the probability that `a` beats `b`, null where nothing was said
    of the two. `attempts` counts the tries at the query and `corrected` the later verdicts, of which the newest is told
    here; `order` says which was shown first, `facts` are the prompt's and `label_facts` the verdict's.
    """
    query, p = label.query, preference_of(label.verdict)
    better, worse = _ranked(query.a.text, query.b.text, p)
    facts = names.facts(label)
    return {
        "sequence": label.sequence,
        "account": query.account,
        "round": query.round,
        "prompt": query.prompt.content if isinstance(query.prompt.content, str) else query.prompt.messages,
        "chosen": better,
        "rejected": worse,
        "a": query.a.text,
        "b": query.b.text,
        "p_a": p,
        "verdict": word_of(label.verdict),
        "source": names.source(label),
        "annotator": names.annotator(label),
        "provenance": label.provenance,
        "order": facts.get("order"),
        "price": label.price,
        "attempts": attempts,
        "corrected": label.corrected,
        "time": label.time,
        "origin_a": query.a.origin,
        "origin_b": query.b.origin,
        "explore": query.explore and query.explore.text,
        "query_id": query.id,
        "facts": dict(query.prompt.facts),
        "label_facts": facts,
    }


def preference_row(label: Label, names: Pseudonyms) -> dict[str, Any] | None:
    """A row of TRL's preference format with what is known of the label beside it; None where neither was better.

    A chat prompt makes both responses chats. `order_shown` is "chosen_first", "rejected_first", "both", or null.
    """
    query, p = label.query, preference_of(label.verdict)
    source, annotator, facts = names.source(label), names.annotator(label), names.facts(label)
    better, worse = _ranked(query.a.text, query.b.text, p)
    if p is None or better is None or worse is None:
        return None
    chat = is_chat(query.prompt)
    return {
        "prompt": query.prompt.messages if chat else query.prompt.content,
        "chosen": _message(better) if chat else better,
        "rejected": _message(worse) if chat else worse,
        "p_chosen": max(p, 1.0 - p),
        "label_source": source,
        "annotator": annotator,
        "order_shown": _shown(facts.get("order"), chosen="a" if p > 0.5 else "b"),
        "cost": label.price,
        "query_id": query.id,
        "round": query.round,
        "provenance": label.provenance,
        "corrected": label.corrected,
    }


def _first(label: Label) -> Label:
    """The label as it was before it was ever corrected."""
    while label.before is not None:
        label = label.before
    return label


def is_chat(prompt: Prompt) -> bool:
    return not isinstance(prompt.content, str)


def _ranked(a: str, b: str, p: float | None) -> tuple[str, str] | tuple[None, None]:
    """The likelier winner and the loser, or neither."""
    if p is None or p == 0.5:
        return None, None
    return (a, b) if p > 0.5 else (b, a)


def _shown(order: object, *, chosen: str) -> str | None:
    if order in ("ab", "ba"):
        return "chosen_first" if str(order)[0] == chosen else "rejected_first"
    return "both" if order == "both" else None


def _message(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]

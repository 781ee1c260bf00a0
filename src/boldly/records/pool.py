"""Labels that are there already: the pairs that may be chosen from them, prompt by prompt."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import nan

from boldly.records.record import Record, pair_of
from boldly.types import Candidates, Label, Prompt, Query, Response, content_id

DATA = "data"
"""The origin of a response that no policy of ours drew."""


def records_of(labels: Iterable[Label]) -> list[Record]:
    """The labels of a ledger as records, of every kind of verdict, with their responses as they were sampled."""
    return [
        Record(
            prompt=label.query.prompt,
            a=label.query.a.text,
            b=label.query.b.text,
            verdict=label.verdict,
            source=label.source,
            facts=label.facts,
            place=f"label {label.sequence}",
            query_id=label.query.id,
            account=label.query.account,
            responses=(label.query.a, label.query.b),
        )
        for label in labels
    ]


def response_from(text: str) -> Response:
    """A response of a file: its text alone.

    It has no tokens, as they belong to a tokenizer: whoever scores it encodes the text with its own, the end token
    included.
    """
    return Response(text, (), DATA, nan, nan)


@dataclass(frozen=True, slots=True)
class Pool:
    """What a selector may choose from when labels are recorded: prompts, responses, and the pairs with a verdict."""

    choices: tuple[Candidates, ...]

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        return tuple(choice.prompt for choice in self.choices)

    @property
    def size(self) -> int:
        """How many pairs it holds."""
        return sum(len(choice.pairs or ()) for choice in self.choices)

    def candidates(self, asked: Iterable[Query] = ()) -> list[Candidates]:
        """The prompts that have pairs left when those of `asked` are taken out, in whichever order they were asked."""
        gone = {pair for query in asked for pair in _both(query.prompt, query.a.text, query.b.text)}
        left: list[Candidates] = []
        for choice in self.choices:
            texts = [response.text for response in choice.responses]
            pairs = tuple(
                (i, j) for i, j in choice.pairs or () if pair_of(choice.prompt, texts[i], texts[j]) not in gone
            )
            if pairs:
                left.append(replace(choice, pairs=pairs))
        return left


def pool_of(records: Sequence[Record]) -> Pool:
    """The pool of records: prompts in the order in which they first come, each text of a prompt once.

    Pairs that no label could tell apart, of equal or empty texts, are left out; so are prompts that then have none. Of
    two responses with one text the first stands. Several verdicts on one pair are one pair.
    """
    drafts: dict[str, _Draft] = {}
    for record in records:
        a, b = record.a.strip(), record.b.strip()
        if not a or not b or a == b:
            continue
        draft = drafts.setdefault(content_id(record.prompt.messages), _Draft(record.prompt, {}, {}))
        given = record.responses or (response_from(record.a), response_from(record.b))
        i, j = (
            draft.places.setdefault(text, (len(draft.places), said))[0]
            for text, said in zip((a, b), given, strict=True)
        )
        draft.pairs.setdefault((min(i, j), max(i, j)))
    return Pool(tuple(draft.choice for draft in drafts.values()))


@dataclass(frozen=True, slots=True)
class _Draft:
    prompt: Prompt
    places: dict[str, tuple[int, Response]]
    pairs: dict[tuple[int, int], None]

    @property
    def choice(self) -> Candidates:
        return Candidates(self.prompt, tuple(said for _, said in self.places.values()), tuple(self.pairs))


def _both(prompt: Prompt, a: str, b: str) -> tuple[object, object]:
    pair = pair_of(prompt, a, b)
    return pair, pair.swapped

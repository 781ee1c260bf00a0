"""The words of boldly as data: prompts, responses, queries, verdicts, labels and comparisons.

All are frozen. Identity is content: two equal prompts have one id in every process and on every machine.
Log-probabilities are in nats and summed over the response's tokens, the end token included.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

Account = Literal["training", "evaluation", "consistency"]
ACCOUNTS: tuple[Account, ...] = ("training", "evaluation", "consistency")
"""What labels are spent on, each with a budget of its own: learning, judging iterates, and checking the oracles."""

Provenance = Literal["bought", "recorded", "self_made"]
"""Where a label comes from: paid for in this run, taken from a ledger or a file, or made by the policy itself."""


def content_id(*parts: object) -> str:
    """The first 20 hexadecimal digits of SHA-256 over the canonical JSON of `parts`."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: str
    content: str


@dataclass(frozen=True)
class Prompt:
    """What is answered: plain text, or the messages of a chat.

    `facts` are the further columns of the prompts file; an oracle may read them, the policy never does.
    """

    content: str | tuple[Message, ...]
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)

    @cached_property
    def id(self) -> str:
        return content_id(self.messages if isinstance(self.content, tuple) else self.content, dict(self.facts))

    @property
    def messages(self) -> list[dict[str, str]]:
        """The prompt as chat messages; plain text is one message of the user."""
        if isinstance(self.content, str):
            return [{"role": "user", "content": self.content}]
        return [{"role": message.role, "content": message.content} for message in self.content]

    @property
    def text(self) -> str:
        """The prompt as one text for people and programs to read."""
        if isinstance(self.content, str):
            return self.content
        return "\n\n".join(f"{message.role}: {message.content}" for message in self.content)


@dataclass(frozen=True)
class Response:
    """One answer to a prompt, with its tokens exactly as they were sampled, the end token included.

    `origin` names the frozen policy that drew it, `log_prob` is its log-probability under that policy (nats) as it
    is scored, that is at temperature 1. `sampled_log_prob` is the one at the temperature it was drawn at; the two are
    equal at temperature 1. `ended` is false for a response that was cut at the length limit.
    """

    text: str
    tokens: tuple[int, ...]
    origin: str
    log_prob: float
    sampled_log_prob: float
    ended: bool = True

    @cached_property
    def id(self) -> str:
        return content_id(self.tokens, self.text, self.origin)

    @property
    def length(self) -> int:
        """Tokens, the end token included."""
        return len(self.tokens)


@dataclass(frozen=True, slots=True)
class Candidates:
    """The responses to one prompt that may be put up for a label.

    `pairs` are the only ones of them that may be (i, j), where a record holds their labels already; None where every
    payable pair may (see `boldly.selectors.payable`).
    """

    prompt: Prompt
    responses: tuple[Response, ...]
    pairs: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True)
class Query:
    """Two responses to one prompt, put up for a label: the unit of cost.

    `a` and `b` keep the places the sampler gave them; nothing is ever renamed "chosen" or "rejected".
    `explore` is the response, drawn by the round's reference, on which an optimism bonus is taken (Algorithm 1 of
    arXiv 2405.21046, step 4): `b` or `a` where the reference drew it, else a further one, or None where it drew none.
    """

    prompt: Prompt
    a: Response
    b: Response
    round: int
    place: int
    explore: Response | None = None
    account: Account = "training"

    @cached_property
    def id(self) -> str:
        return content_id(self.account, self.round, self.place, self.prompt.id, self.a.id, self.b.id)


@dataclass(frozen=True, slots=True)
class Preference:
    """`a` beats `b` with this probability; 1 and 0 are the outcomes of a single draw."""

    probability: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"a preference is a probability in [0, 1], got {self.probability!r}")


@dataclass(frozen=True, slots=True)
class Tie:
    """Both are equally good; trained on as probability 1/2."""


@dataclass(frozen=True, slots=True)
class BothBad:
    """Neither is acceptable; paid for, never trained on as a preference."""


@dataclass(frozen=True, slots=True)
class Abstention:
    """The oracle declined to say."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The oracle did not manage to answer; never a preference, never 0, never a coin."""

    reason: str


Verdict = Preference | Tie | BothBad | Abstention | Failure


@dataclass(frozen=True, slots=True)
class Label:
    """A verdict that counts: what was said of a query, by whom, when, for how much, and its place in the ledger.

    `facts` is what else is known of how it came about, such as the order in which the responses were shown.
    `corrected` counts the later verdicts that came in place of the first; `verdict`, `source` and `facts` are the
    newest's, and all else is the first's. `before` is the label as it was until the newest correction.
    """

    sequence: int
    query: Query
    verdict: Verdict
    source: str
    price: float
    time: str
    provenance: Provenance = "bought"
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
    corrected: int = 0
    before: "Label | None" = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A label as an objective reads it: the probability that `a` beats `b`, its place in the ledger, and a weight."""

    query: Query
    label: float
    sequence: int
    weight: float = 1.0


def preference_of(verdict: Verdict) -> float | None:
    """The probability that a verdict gives `a`, or None where it says nothing of the two."""
    match verdict:
        case Preference(probability):
            return probability
        case Tie():
            return 0.5
        case BothBad() | Abstention() | Failure():
            return None


def kind_of(verdict: Verdict) -> str:
    """What sort of verdict it is, in one word for tables and files."""
    match verdict:
        case Preference():
            return "preference"
        case Tie():
            return "tie"
        case BothBad():
            return "both_bad"
        case Abstention():
            return "abstention"
        case Failure():
            return "failure"


def corrected(label: Label, verdict: Verdict, source: str, facts: Mapping[str, Any]) -> Label:
    """The label with a verdict that counts in place of its own."""
    return replace(label, verdict=verdict, source=source, facts=facts, corrected=label.corrected + 1, before=label)


def comparisons(labels: Sequence[Label]) -> tuple[Comparison, ...]:
    """The comparisons in `labels`, in the order they were bought; verdicts that say nothing are left out."""
    read = ((label, preference_of(label.verdict)) for label in labels)
    return tuple(Comparison(label.query, p, label.sequence) for label, p in read if p is not None)

"""What a service can do, found out by two answered calls; and the pairs that show whether it prefers what it should."""

import time
from dataclasses import dataclass, replace

from boldly.errors import OracleUnavailable
from boldly.oracles.judge.answers import answer_of
from boldly.oracles.judge.canaries import NAMES, canary_text
from boldly.oracles.judge.endpoint import Form
from boldly.oracles.judge.looks import View
from boldly.oracles.judge.outcome import Outcome, Sender
from boldly.oracles.judge.prices import Bill, bill_of, bound_of
from boldly.oracles.judge.prompt import Shown
from boldly.oracles.judge.reading import Read, Said, Unreadable, read, read_structured
from boldly.oracles.judge.settings import Mode, Settings
from boldly.types import Prompt, Query, Response

_REQUEST = "Why is the sky blue? Answer in one sentence."
_GOOD = (
    "Air scatters the short, blue waves of sunlight more than the long, red ones, so blue comes from all over the sky."
)
_BAD = "The sky is blue because it mirrors the sea."
_FORMS = 4
"""Requests of one kind at most: each refusal, which is free, names one thing to write otherwise."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found.

    `mode` is the way to a verdict that `verdict: auto` takes; `right` says whether what was read preferred the better
    response. `label` is what a verdict on the short pair of the probe costs, `per_1000` what each further 1,000
    characters of responses add, `bound` the most that would be reserved for it.
    """

    base_url: str
    model: str
    logprobs: bool
    structured: bool
    mode: Mode
    limit: str
    temperature: bool
    system: bool
    usage: bool
    right: bool
    seconds: float
    requests: int
    tokens_in: int
    tokens_out: int
    label: float | None
    per_1000: float | None
    bound: float


@dataclass(frozen=True, slots=True)
class _Tried:
    form: Form
    outcome: Outcome
    shown: Shown
    said: Read
    bill: Bill
    seconds: float
    requests: int
    works: bool


def probe(settings: Settings, client: Sender) -> Probe:
    """Ask once for log-probabilities and once for JSON.

    Raises `OracleUnavailable` where there is no answer to either.
    """
    letters = _tried(Form("logprobs"), settings, client)
    json = _tried(replace(letters.form, mode="structured"), settings, client)
    if {letters.outcome.kind, json.outcome.kind} == {"refused"}:
        raise OracleUnavailable(f"{settings.base_url} refuses to be asked: {json.outcome.reason}.")
    mode: Mode = "logprobs" if letters.works else "structured" if json.works else "text"
    used = letters if mode == "logprobs" or json.outcome.kind == "refused" else json
    looks = 2 if settings.order == "both" else 1
    told = used.bill.tokens_in > 0
    read_well = [one.said for one in (letters, json) if isinstance(one.said, Said)]
    size = sum(len(message["content"]) for message in used.shown.messages)
    return Probe(
        base_url=settings.base_url,
        model=settings.model,
        logprobs=letters.works,
        structured=json.works,
        mode=mode,
        limit=json.form.limit,
        temperature=json.form.temperature,
        system=json.form.system,
        usage=told,
        right=bool(read_well) and min(said.p for said in read_well) > 0.5,
        seconds=max(letters.seconds, json.seconds),
        requests=letters.requests + json.requests,
        tokens_in=used.bill.tokens_in,
        tokens_out=used.bill.tokens_out,
        label=used.bill.price * looks if told else None,
        per_1000=1000.0 * used.bill.tokens_in / size * settings.price_in / 1e6 * looks if told else None,
        bound=bound_of(used.shown.messages, settings) * looks,
    )


def canary_queries() -> list[tuple[str, Query]]:
    """A good response beside each canary, by the canary's name; `a` is the good one."""
    prompt = Prompt(_REQUEST)
    good = _response(_GOOD)
    return [
        (name, Query(prompt, good, _response(canary_text(name, prompt)), 0, place)) for place, name in enumerate(NAMES)
    ]


def _tried(form: Form, settings: Settings, client: Sender) -> _Tried:
    """One answered request, or the refusals up to the last form."""
    view = View(_REQUEST, _GOOD, _BAD, "ab")
    shown = view.shown(form.mode, settings)
    begun, requests = time.monotonic(), 1
    outcome = client.send(form.body(shown.messages, settings))
    while outcome.kind == "refused" and requests < _FORMS:
        following = form.after_refusal(outcome.reason, (form.mode,), proven=True)
        if following is None:
            break
        form, begun, requests = following, time.monotonic(), requests + 1
        outcome = client.send(form.body(shown.messages, settings))
    seconds = time.monotonic() - begun
    if outcome.kind not in ("reply", "refused"):
        raise OracleUnavailable(f"the judge gives no answer: {outcome.reason}.")
    answer = answer_of(outcome.body)
    said = Unreadable(outcome.reason) if answer is None else read(answer, form.mode)
    if answer is not None and form.mode == "structured":
        works = answer["text"].lstrip().startswith("{") and isinstance(read_structured(answer["text"]), Said)
    else:
        works = isinstance(said, Said) and said.soft
    bill = bill_of(outcome.body.get("usage"), shown.messages, settings)
    return _Tried(form, outcome, shown, said, bill, seconds, requests, works)


def _response(text: str) -> Response:
    return Response(text, (), "canary", 0.0, 0.0)

"""What the page and the server tell one another: every field, with its bounds.

Nothing here tells which policy wrote what, what a label is for, or whether a pair was shown before.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from boldly.ledger.sql.desk import Action, Annotator, Lease, Order, Outcome, Tally
from boldly.types import Query
from boldly.web import rendering
from boldly.web.settings import Phase, Settings, Stage
from boldly.web.tokens import LEASE_PATTERN, seal

Said = Literal["left", "right", "tie", "both_bad", "skip"]
LeaseToken = Annotated[str, Field(pattern=LEASE_PATTERN)]
Leases = Annotated[list[LeaseToken], Field(max_length=8)]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$", description="of this one act; the same when it is resent")]
Note = Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=2000)]
_RENDERED_TEXTS = 1024


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Choice(Body):
    """What a person chose of the pair of a lease. `holding` names the other pairs on their page."""

    key: Key
    lease: LeaseToken
    choice: Said
    seconds: Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)]
    strength: Literal["slightly", "clearly"] | None = None
    reason: Note | None = None
    holding: Leases = []


class Undo(Body):
    """Take the newest choice back."""

    key: Key


class Flag(Body):
    """Tell whoever runs this that something is wrong with the pair of a lease."""

    key: Key
    lease: LeaseToken
    note: Note = ""


class Held(Body):
    """The leases of the pairs on a page."""

    leases: Leases


class Text(Body):
    """A text as it reads, and as it was written: pieces of text, each with the name of a hidden character or ""."""

    html: str
    raw: list[tuple[str, str]]


class Message(Text):
    """One message of the prompt."""

    role: str


class Pair(Body):
    """Two answers to one prompt, to be compared within `expires_in` seconds; `was` is what an undone choice was."""

    lease: LeaseToken
    expires_in: Annotated[float, Field(ge=0)]
    prompt: list[Message]
    left: Text
    right: Text
    was: Said | None


class State(Body):
    """How far the run is: my labels, all, how many there may be, pairs that wait, and labels the model waits for."""

    mine: Annotated[int, Field(ge=0)]
    labels: Annotated[int, Field(ge=0)]
    budget: Annotated[int, Field(ge=0)] | None
    waiting: Annotated[int, Field(ge=0)]
    wanted: Annotated[int, Field(ge=0)]
    eta_seconds: Annotated[float, Field(ge=0)] | None
    phase: Phase
    message: str


class NextPair(Body):
    pair: Pair | None
    state: State


class Chosen(NextPair):
    outcome: Outcome
    repeated: bool


class Flagged(Body):
    outcome: Outcome
    state: State


class Gone(Body):
    gone: list[LeaseToken]
    state: State


class StillHeld(Body):
    pairs: list[Pair]
    state: State


class Now(Body):
    state: State


class Problem(Body):
    """Why a request was refused."""

    error: str


def action_of(said: Said, order: Order) -> Action:
    """What was said of the sides, as it is said of `a` and `b`."""
    match said:
        case "left":
            return "a" if order == "ab" else "b"
        case "right":
            return "b" if order == "ab" else "a"
        case _:
            return said


def said_of(action: Action, order: Order) -> Said:
    """What was said of `a` and `b`, as it was said of the sides."""
    match action:
        case "a":
            return "left" if order == "ab" else "right"
        case "b":
            return "right" if order == "ab" else "left"
        case _:
            return action


def pair_of(lease: Lease, annotator: Annotator, key: bytes) -> Pair:
    """A leased query as its annotator sees it."""
    query, order = lease.query, lease.order
    left, right = (query.a, query.b) if order == "ab" else (query.b, query.a)
    return Pair(
        lease=seal(key, annotator.number, lease.token, order),
        expires_in=max(0.0, lease.expires_in),
        prompt=_messages(query),
        left=_shown(left.text),
        right=_shown(right.text),
        was=None if lease.was is None else said_of(lease.was, order),
    )


class Pace:
    """How long labels take, from how their number grew while this process looked: at most `window` seconds back."""

    def __init__(self, window: float = 600.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = window
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()

    def eta(self, labels: int, wanted: int) -> float | None:
        """Seconds until `wanted` more are there; None before any came."""
        now = self._clock()
        with self._lock:
            seen = self._seen
            if not seen or labels > seen[-1][1]:
                seen.append((now, labels))
            while now - seen[0][0] > self._window and len(seen) > 1:
                seen.popleft()
            since, before = seen[0]
        return None if labels <= before else wanted * (now - since) / (labels - before)


def state_of(tally: Tally, loop: Stage, settings: Settings, pace: Pace, *, owner: bool) -> State:
    """How far the run is, and in a sentence what the model waits for; only its owner is told what the run is called."""
    eta = pace.eta(tally.labels, tally.wanted)
    return State(
        mine=tally.mine,
        labels=tally.labels,
        budget=tally.budget,
        waiting=tally.waiting,
        wanted=tally.wanted,
        eta_seconds=eta if loop.phase == "labelling" and tally.wanted else None,
        phase=loop.phase,
        message=_message(tally, loop, settings, owner=owner),
    )


def _message(tally: Tally, loop: Stage, settings: Settings, *, owner: bool) -> str:
    match loop.phase:
        case "labelling" if settings.compares:
            return f"{tally.wanted} {'pair is' if tally.wanted == 1 else 'pairs are'} left to compare"
        case "ended" if tally.wanted:
            return "this run has ended, as what it may spend is spent; thank you"
        case "ended":
            return "all labels of this run are there; thank you"
        case "stopped" if not owner:
            return "nobody trains at the moment; whoever shared the link can start it"
        case "stopped":
            return f"nobody trains at the moment: Ctrl-C, and `boldly label {settings.run}` again, starts it"
        case "learning":
            counted = "1 label" if loop.labels == 1 else f"{loop.labels} labels"
            return f"the model is learning from {counted}; the next pairs come by themselves"
        case "labelling" if tally.wanted:
            return f"the model trains when {tally.wanted} more {'is' if tally.wanted == 1 else 'are'} labelled"
        case "labelling":
            return "the model is writing the next pairs; they come by themselves"


def _messages(query: Query) -> list[Message]:
    return [_message_of(message["role"], message["content"]) for message in query.prompt.messages]


@lru_cache(_RENDERED_TEXTS)
def _message_of(role: str, text: str) -> Message:
    return Message(role=role, html=rendering.html(text), raw=rendering.raw(text))


@lru_cache(_RENDERED_TEXTS)
def _shown(text: str) -> Text:
    return Text(html=rendering.html(text), raw=rendering.raw(text))

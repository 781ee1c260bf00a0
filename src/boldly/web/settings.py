"""What a page is served with: the run's name and key, who may be asked under which name, and what the run is at."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Phase = Literal["labelling", "learning", "ended", "stopped"]


@dataclass(frozen=True, slots=True)
class Stage:
    """What the run is at: it waits for labels, learns from `labels` of them, has ended, or nobody trains."""

    phase: Phase
    labels: int = 0


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `burst` requests at once, and `per_second` in the long run."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Settings:
    """How a page is served.

    `run` is what the run is called in `boldly label RUN`, `key` its secret (see `boldly.web.tokens.key_of`), `hosts`
    the names it is reached under (see `boldly.web.security.hosts.names_of`). `state` and `dashboard` are asked again
    and again, from several threads. `compares` where no model is trained, but finished ones are compared. `guard` is
    how many milliseconds after a pair appeared no key counts. `annotator` bounds the requests of one person, `stranger`
    those of one address that has no link, `guesses` its wrong links.
    """

    run: str
    key: bytes = field(repr=False)
    hosts: frozenset[str]
    state: Callable[[], Stage]
    dashboard: Callable[[], dict[str, Any]]
    confirm: bool = False
    strength: bool = False
    reason: bool = False
    compares: bool = False
    guard: int = 150
    annotator: Rate = Rate(per_second=20.0, burst=60)
    stranger: Rate = Rate(per_second=100.0, burst=600)
    guesses: Rate = Rate(per_second=0.1, burst=10)

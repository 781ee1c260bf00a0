"""What may become of a request, whoever sends it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

Kind = Literal["reply", "busy", "refused", "ended", "lost", "garbled"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request.

    `reply`: a chat completion came back. `busy`: refused for now, at no cost. `refused`: this request can't be
    answered, at no cost. `ended`: none can be, at no cost. `lost`: it left, may have been paid, and brought nothing.
    `garbled`: what it brought is no chat completion.
    `wait` is how many seconds the service asks to be left alone.
    """

    kind: Kind
    reason: str = ""
    body: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    wait: float | None = None

    @property
    def free(self) -> bool:
        return self.kind in ("busy", "refused", "ended")


@runtime_checkable
class Sender(Protocol):
    """Sends requests to one service."""

    def send(self, body: Mapping[str, Any]) -> Outcome:
        """Send one request. Nothing that the service does raises."""
        ...

    def hang_up(self) -> None:
        """Close the connections that no request uses."""
        ...

"""What was learned of a service in this process: which forms of a request it takes."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from boldly.oracles.judge.reading import response_format
from boldly.oracles.judge.settings import Mode, Settings

_FEW = 8
"""Enough for a letter and the end, where the first token is all that is read."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a request is written: the way to a verdict, and what services differ in."""

    mode: Mode
    limit: str = "max_tokens"
    temperature: bool = True
    tops: int = 20
    system: bool = True

    def body(self, messages: Sequence[Mapping[str, str]], settings: Settings) -> dict[str, Any]:
        """The request."""
        few = self.mode == "logprobs" and self.limit == "max_tokens"
        made: dict[str, Any] = {
            "model": settings.model,
            "messages": [dict(message) for message in messages] if self.system else [_joined(messages)],
            self.limit: min(_FEW, settings.max_tokens) if few else settings.max_tokens,
        }
        if self.temperature:
            made["temperature"] = settings.temperature
        if self.mode == "logprobs":
            made |= {"logprobs": True, "top_logprobs": self.tops}
        if self.mode == "structured":
            made["response_format"] = response_format()
        return made

    def after_refusal(self, message: str, modes: Sequence[Mode], *, proven: bool) -> "Form | None":
        """The form to try after a service refused this one with `message`; None where nothing is left to change.

        `proven` says that the service has answered this way to a verdict before, so that it is not at fault.
        """
        said = message.lower()
        if "max_completion_tokens" in said and self.limit == "max_tokens":
            return replace(self, limit="max_completion_tokens")
        if "temperature" in said and self.temperature:
            return replace(self, temperature=False)
        if "system" in said and ("role" in said or "message" in said) and self.system:
            return replace(self, system=False)
        if "top_logprobs" in said and self.mode == "logprobs" and self.tops > 5:
            return replace(self, tops=5)
        lower = modes[modes.index(self.mode) + 1 :]
        return replace(self, mode=lower[0]) if lower and not proven else None


class Endpoint:
    """The form that a service takes, as far as it is known. Thread-safe."""

    def __init__(self, modes: Sequence[Mode]) -> None:
        self.modes = tuple(modes)
        self._lock = threading.Lock()
        self._form = Form(self.modes[0])
        self._proven: set[Mode] = set()

    @property
    def form(self) -> Form:
        return self._form

    def proven(self, mode: Mode) -> bool:
        """Whether a verdict was read in this mode."""
        return mode in self._proven

    def worked(self, form: Form) -> None:
        """A verdict was read from a request of this form; it is the one to use, unless a better way is proven."""
        with self._lock:
            if form.mode == self._form.mode or self._form.mode not in self._proven:
                self._form = form
            self._proven.add(form.mode)

    def mute(self, form: Form) -> None:
        """An answer to this form held nothing to read; a way that never led to a verdict is left for the next."""
        with self._lock:
            lower = self.modes[self.modes.index(form.mode) + 1 :]
            if lower and form.mode == self._form.mode and form.mode not in self._proven:
                self._form = replace(form, mode=lower[0])


def _joined(messages: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """One message of the user, for models whose template knows no system."""
    return {"role": "user", "content": "\n\n".join(message["content"] for message in messages)}

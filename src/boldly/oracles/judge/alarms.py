"""What a user has to hear about a judge while it is at work: once each, through the log."""

import logging
import threading

logger = logging.getLogger("boldly")

LEAST_PAIRS = 20
MOST_FLIPS = 0.4


class Alarms:
    """Counts flipped verdicts and canaries that won, over every call in this process."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._pairs = self._flips = self._canaries = self._won = 0
        self._told: set[str] = set()

    def pair(self, flipped: bool) -> None:
        """A pair was judged in both orders."""
        with self._lock:
            self._pairs += 1
            self._flips += flipped
            if self._pairs >= LEAST_PAIRS and self._flips > MOST_FLIPS * self._pairs:
                self._tell(
                    "flips",
                    f"{self._name} judges by position: {self._flips} of {self._pairs} verdicts turned when the "
                    "responses changed places; take another judge or rubric, or read docs/oracles/judge.md",
                )

    def canary(self, name: str, won: bool) -> None:
        """A canary was judged beside a real response."""
        with self._lock:
            self._canaries += 1
            self._won += won
            if won:
                self._tell(
                    "canary",
                    f"{self._name} preferred a canary ({name}) to a real response, {self._won} of {self._canaries} so "
                    "far: a policy that learns from it may learn that; see `boldly doctor judge --canaries`",
                )

    def _tell(self, what: str, message: str) -> None:
        if what not in self._told:
            self._told.add(what)
            logger.warning(message)

"""What a judge is asked by: the options that make its verdict, and those that bound what a verdict may cost."""

from dataclasses import asdict, dataclass
from typing import Literal

from boldly.types import content_id

Order = Literal["both", "random", "first"]
Mode = Literal["logprobs", "structured", "text"]
Reading = Literal["auto", "logprobs", "structured", "text"]

MODES: tuple[Mode, ...] = ("logprobs", "structured", "text")
"""The ways to a verdict, the best first."""

_NO_MATTER = ("price_in", "price_out", "timeout", "total_time", "canaries", "seed")


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of a judge, checked; `rubric` is the text itself. See `boldly.oracles.judge.judge`."""

    model: str
    base_url: str
    rubric: str
    order: Order = "both"
    verdict: Reading = "auto"
    temperature: float = 0.0
    max_tokens: int = 1024
    price_in: float = 0.0
    price_out: float = 0.0
    timeout: float = 60.0
    total_time: float = 300.0
    response_limit: int = 20_000
    canaries: float = 0.0
    seed: int = 0

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The ways to a verdict that may be tried, the first being the best."""
        return MODES if self.verdict == "auto" else (self.verdict,)

    @property
    def config(self) -> str:
        """The hash of everything that a verdict depends on; what it costs and how long it may take are left out."""
        return content_id({key: value for key, value in asdict(self).items() if key not in _NO_MATTER})

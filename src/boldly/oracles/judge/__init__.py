"""The LLM judge: an oracle that asks a chat model, and records every request before it leaves."""

from boldly.oracles.judge.oracle import Judge, judge
from boldly.oracles.judge.settings import Settings

__all__ = ["Judge", "Settings", "judge"]

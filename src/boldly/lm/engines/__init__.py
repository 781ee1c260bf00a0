"""What draws responses: the built-in engine (`boldly.lm.sampling`) and vLLM, behind one protocol."""

from boldly.lm.engines.protocol import ENGINES, Draws, engine

__all__ = ["ENGINES", "Draws", "engine"]

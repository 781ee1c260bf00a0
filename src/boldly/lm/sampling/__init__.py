"""Drawing responses from language models."""

from boldly.lm.sampling.sample import Drawn, Voice, sample

__all__ = ["Drawn", "Voice", "sample"]

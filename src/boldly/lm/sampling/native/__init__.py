"""Sampling in native code: small, optional, and tested against the plain path."""

from boldly.lm.sampling.native.fits import misfit
from boldly.lm.sampling.native.write import read, write

__all__ = ["misfit", "read", "write"]

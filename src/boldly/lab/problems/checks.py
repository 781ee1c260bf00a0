"""What no problem can be solved with, refused before anything runs."""

import math

import torch
from torch import Tensor

from boldly.errors import InvalidInput

TOLERANCE = 1e-9
"""How far from 1 a law may sum."""


def require_positive(name: str, value: float, example: str) -> None:
    """Raises `InvalidInput` unless `value` is finite and above 0."""
    if not (math.isfinite(value) and value > 0):
        raise InvalidInput(f"{name} is {value!r}, but it has to be a finite number above 0: write `{example}`.")


def require_finite(name: str, values: Tensor) -> None:
    """Raises `InvalidInput` where an entry is not finite."""
    if not bool(torch.isfinite(values).all()):
        place = tuple(torch.nonzero(~torch.isfinite(values))[0].tolist())
        raise InvalidInput(f"{name} is {float(values[place])} at {place}, but every entry has to be a finite number.")


def require_log_law(name: str, log_law: Tensor) -> None:
    """Raises `InvalidInput` unless the last dimension is the logarithm of positive masses that sum to 1."""
    if not bool(torch.isfinite(log_law).all()):
        place = tuple(torch.nonzero(~torch.isfinite(log_law))[0].tolist())
        raise InvalidInput(
            f"{name} is {float(log_law[place])} at {place}: a law whose logarithm is taken needs a positive mass "
            "everywhere; leave the response out or give it one, say 1e-12."
        )
    total = log_law.logsumexp(-1).exp()
    if not bool(((total - 1).abs() <= TOLERANCE).all()):
        raise InvalidInput(
            f"{name} sums to {float(total.flatten()[(total.flatten() - 1).abs().argmax()])!r} and not to 1: "
            "divide the masses by their sum, `p / p.sum()`."
        )

"""What no problem can be solved with, refused before anything runs."""

import math

import torch
from torch import Tensor

from boldly.errors import InvalidInput

TOLERANCE = 1e-6
"""How far from 1 a law may sum: numbers that were written in single precision are let in."""


def require_positive(name: str, value: float, example: str) -> None:
    """Raises `InvalidInput` unless `value` is finite and above 0."""
    if not (math.isfinite(value) and value > 0):
        raise InvalidInput(f"{name} is {value!r}, but it has to be a finite number above 0: write `{example}`.")


def require_count(name: str, value: int, example: str) -> None:
    """Raises `InvalidInput` unless `value` is at least 1."""
    if value < 1:
        raise InvalidInput(f"{name} is {value}, but at least 1 is needed: write `{example}`.")


def require_share(name: str, value: float, example: str) -> None:
    """Raises `InvalidInput` unless `value` lies strictly between 0 and 1."""
    if not 0 < value < 1:
        raise InvalidInput(f"{name} is {value!r}, but it has to lie between 0 and 1, both excluded: write `{example}`.")


def require_shape(name: str, values: Tensor, shape: tuple[int, ...], why: str) -> None:
    """Raises `InvalidInput` unless `values` has the shape `shape`."""
    if tuple(values.shape) != shape:
        raise InvalidInput(f"{name} has the shape {tuple(values.shape)} and not {shape}: {why}.")


def require_finite(name: str, values: Tensor) -> None:
    """Raises `InvalidInput` where an entry is not finite."""
    if not bool(torch.isfinite(values).all()):
        place = tuple(torch.nonzero(~torch.isfinite(values))[0].tolist())
        raise InvalidInput(f"{name} is {float(values[place])} at {place}, but every entry has to be a finite number.")


def require_log_law(name: str, log_law: Tensor) -> None:
    """Raises `InvalidInput` unless the last dimension is the logarithm of positive masses that sum to 1."""
    if bool((log_law.isnan() | (log_law > 0) & log_law.isinf()).any()):
        require_finite(name, log_law)
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


def require_law(name: str, law: Tensor) -> None:
    """Raises `InvalidInput` unless the last dimension holds masses of 0 or more that sum to 1."""
    require_finite(name, law)
    if not bool((law >= 0).all()):
        place = tuple(torch.nonzero(law < 0)[0].tolist())
        raise InvalidInput(f"{name} is {float(law[place])} at {place}, but a probability is never below 0.")
    total = law.sum(-1)
    if not bool(((total - 1).abs() <= TOLERANCE).all()):
        raise InvalidInput(
            f"{name} sums to {float(total.flatten()[(total.flatten() - 1).abs().argmax()])!r} and not to 1: "
            "divide the masses by their sum, `p / p.sum(-1, keepdim=True)`."
        )


def require_preference(name: str, preference: Tensor) -> None:
    """Raises `InvalidInput` unless every P[a, b] is a probability and P + P^T = 1, so 1/2 on the diagonal."""
    require_finite(name, preference)
    if preference.shape[-1] != preference.shape[-2]:
        raise InvalidInput(
            f"{name} has {preference.shape[-2]} rows and {preference.shape[-1]} columns, "
            "but every response meets every response: give a square matrix."
        )
    outside = (preference < 0) | (preference > 1)
    if bool(outside.any()):
        place = tuple(torch.nonzero(outside)[0].tolist())
        raise InvalidInput(
            f"{name} is {float(preference[place])} at {place}, but it is the probability that one response beats "
            "another, from 0 to 1; for rewards r write `torch.sigmoid(r[..., :, None] - r[..., None, :])`."
        )
    total = preference + preference.mT
    wrong = (total - 1).abs() > TOLERANCE
    if bool(wrong.any()):
        place = tuple(torch.nonzero(wrong)[0].tolist())
        raise InvalidInput(
            f"{name} and its opposite sum to {float(total[place])} at {place} and not to 1: one of the two responses "
            "is preferred; make it so with `0.5 * (1 + P - P.mT)`."
        )

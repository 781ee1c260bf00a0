"""Objectives: pure functions of a table of log-probabilities. Needs nothing but torch.

name(pairs, *, beta, ...) -> Terms(preference, bonus)      for each row, unreduced
reduce(terms, weight)     -> Loss(total, preference, bonus)  the weighted mean, in one place
"""

from boldly.objectives.optimism import OPTIMISM, bounded_log_ratio, selm, vpo, xpo
from boldly.objectives.pairwise import (
    PAIRWISE,
    conservative_dpo,
    dpo,
    ipo,
    ipo_per_token,
    log_ratio_margin,
    robust_dpo,
)
from boldly.objectives.projection import likelihood, projection_weights, target_log_ratios
from boldly.objectives.regression import REGRESSION, rebel, sppo
from boldly.objectives.table import Column, Loss, Objective, Pairs, Points, Terms, reduce

OBJECTIVES: dict[str, Objective] = PAIRWISE | OPTIMISM | REGRESSION

__all__ = [
    "OBJECTIVES",
    "OPTIMISM",
    "PAIRWISE",
    "REGRESSION",
    "Column",
    "Loss",
    "Objective",
    "Pairs",
    "Points",
    "Terms",
    "bounded_log_ratio",
    "conservative_dpo",
    "dpo",
    "ipo",
    "ipo_per_token",
    "likelihood",
    "log_ratio_margin",
    "projection_weights",
    "rebel",
    "reduce",
    "robust_dpo",
    "selm",
    "sppo",
    "target_log_ratios",
    "vpo",
    "xpo",
]

"""The chances of a comparison: Bradley and Terry's, with Davidson's ties and with flips."""

import math


def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)), for any x: it never overflows."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    return math.exp(x) / (1.0 + math.exp(x))


def chances(log_odds: float, *, ties: float = 0.0, flip: float = 0.0) -> tuple[float, float]:
    """The chance that `a` is said to win, and that a tie is; the rest is the chance that `b` is.

    With x the log-odds of `a` against `b` in nats, infinite ones included, e^{x/2}, `ties` and e^{-x/2} are in
    proportion to the chances (Davidson, JASA 65 (1970) 317, equation (2.5)); equal ones tie with ties / (2 + ties).
    With chance `flip` the opposite is said, and a tie stays one.
    """
    less, tied = math.exp(-abs(log_odds)), ties * math.exp(-abs(log_odds) / 2.0)
    total = 1.0 + less + tied
    win, lose = (1.0 / total, less / total) if log_odds >= 0.0 else (less / total, 1.0 / total)
    return (1.0 - flip) * win + flip * lose, tied / total

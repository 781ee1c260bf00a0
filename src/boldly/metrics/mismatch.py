"""How far the engine that drew is from the scores that are learned with."""

import math
from collections.abc import Iterable

from boldly.types import Query


def mismatch(queries: Iterable[Query]) -> float | None:
    """The mean difference of sampled and scored log-probability over the responses of `queries`, in nats a token.

        sum_y |log q(y) - log p(y)| / sum_y |y|,   q the engine at temperature 1, p boldly's score of the same policy

    Responses that were recorded, and so have neither, are left out; None where none is left. Assumes that all were
    drawn at temperature 1.
    """
    found = {response.id: response for q in queries for response in (q.a, q.b, q.explore) if response is not None}
    off = {key: abs(response.sampled_log_prob - response.log_prob) for key, response in found.items()}
    known = [key for key, value in off.items() if not math.isnan(value)]
    return sum(off[key] for key in known) / sum(found[key].length for key in known) if known else None

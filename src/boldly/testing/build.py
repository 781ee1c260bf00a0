"""Small honest values to test with."""

from dataclasses import replace

from boldly.types import Account, Prompt, Query, Response


def response(text: str, *, origin: str = "iterate-0", log_prob: float = -1.5) -> Response:
    """A response whose tokens are its bytes and an end token."""
    return Response(text, (*text.encode(), 0), origin, log_prob, log_prob)


def query(place: int = 0, *, round: int = 0, account: Account = "training", a: str = "aaa", b: str = "b") -> Query:
    """A query about a prompt of its own; `a` is the longer response unless told otherwise."""
    return Query(Prompt(f"prompt {place}"), response(a), response(b), round, place, response(b), account)


def swapped(given: Query) -> Query:
    """The query with `a` and `b` the other way round."""
    return replace(given, a=given.b, b=given.a)

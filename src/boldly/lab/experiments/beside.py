"""A researcher's methods beside those of an experiment."""

from collections.abc import Sequence

from boldly.errors import InvalidInput
from boldly.lab.method import Method


def beside(own: Sequence[Method], methods: Sequence[Method]) -> list[Method]:
    """The experiment's `own` methods and then a researcher's. Raises `InvalidInput` where two have the same name."""
    every = [*own, *methods]
    names = [method.name for method in every]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(
                f"two methods are named {name!r}, so one could not be told from the other: the experiment has "
                f"{', '.join(method.name for method in own)}; write `Method('mine', ...)`."
            )
    return every

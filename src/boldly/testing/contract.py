"""What the suites have in common: one that makes nothing is refused instead of passed over."""

from abc import ABC
from inspect import isabstract

from boldly.errors import InvalidInput


class Contract:
    """A suite of tests about what its `make` returns."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # pytest collects nothing from an abstract class, and says nothing of it.
        if isabstract(cls) and ABC not in cls.__bases__:
            raise InvalidInput(
                f"{cls.__name__} doesn't say what it tests, so none of its tests would run: "
                "write `def make(self, ...)` in its body, not in a fixture."
            )

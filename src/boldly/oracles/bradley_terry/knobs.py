"""What a simulated labeller does wrong: every knob, off by default."""

import math
from dataclasses import dataclass

from boldly.errors import OracleError

_SHARES = ("flip", "abstentions", "failures")
_AMOUNTS = ("noise", "ties", "delay", "outage_from", "outage_to")
_SIGNED = ("position_bias", "length_bias", "intransitivity")


@dataclass(frozen=True, slots=True)
class Knobs:
    """How a simulated labeller judges and fails; `BradleyTerry` says what each does.

    Raises `OracleError` for a value out of its range.
    """

    scale: float = 1.0
    noise: float = 0.0
    flip: float = 0.0
    position_bias: float = 0.0
    length_bias: float = 0.0
    intransitivity: float = 0.0
    ties: float = 0.0
    abstentions: float = 0.0
    failures: float = 0.0
    outage_from: int = 0
    outage_to: int = 0
    delay: float = 0.0
    draw: bool = True

    def __post_init__(self) -> None:
        values = {name: float(getattr(self, name)) for name in self.__dataclass_fields__}
        for name in _SHARES:
            if not 0.0 <= values[name] <= 1.0:
                raise OracleError(f"{name} {values[name]!r} is a chance in [0, 1]; write `{name}: 0.1`.")
        for name in _AMOUNTS:
            if not 0.0 <= values[name] < math.inf:
                raise OracleError(f"{name} {values[name]!r} can't be below 0 or infinite; write `{name}: 0`.")
        for name in _SIGNED:
            if not math.isfinite(values[name]):
                raise OracleError(f"{name} {values[name]!r} is not finite; write `{name}: 0.0`.")
        if not self.scale >= 0.0:
            raise OracleError(f"scale {self.scale!r} can't be below 0; write `scale: 1.0`.")
        if self.outage_to < self.outage_from:
            raise OracleError(
                f"an outage from attempt {self.outage_from} to {self.outage_to} ends before it begins; "
                f"write `outage_from: {self.outage_from}`, `outage_to: {self.outage_from + 20}`."
            )

"""Shapes of preference data that other tools write: how each is recognised by its columns, and how its rows are read.

A reader is given the columns of one row and returns the records in it, none where nobody has answered. It raises
`BadRow`. Places and missing sources are filled in by `boldly.records.reading`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from boldly.records.formats import argilla, hh, label_studio, own, trl, ultrafeedback
from boldly.records.record import Record


@dataclass(frozen=True, slots=True)
class Format:
    """One shape: `fits` knows it by a row's columns, `read` returns the records of a row."""

    fits: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Mapping[str, Any]], list[Record]]


FormatName = Literal["auto", "boldly", "labelstudio", "argilla", "ultrafeedback", "hh", "trl"]
"""What a caller may write; "auto" goes by the first row."""

FORMATS: Mapping[str, Format] = {
    "boldly": Format(own.fits, own.read),
    "labelstudio": Format(label_studio.fits, label_studio.read),
    "argilla": Format(argilla.fits, argilla.read),
    "ultrafeedback": Format(ultrafeedback.fits, ultrafeedback.read),
    "hh": Format(hh.fits, hh.read),
    "trl": Format(trl.fits, trl.read),
}
"""By name, in the order in which they are tried."""

__all__ = ["FORMATS", "Format", "FormatName"]

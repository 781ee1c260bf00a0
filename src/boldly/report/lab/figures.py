"""The plots of an experiment as figures: a median line with its band, and the numbers behind it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boldly.lab.experiments import Curve, Plot
from boldly.report.blocks import Figure, Table
from boldly.report.numbers import number
from boldly.report.plots import PALETTE, Line, lines
from boldly.text import flat

_MOST_ROWS = 40
"""Rows of one curve in the table behind a plot; the JSON file has them all."""

_DASHES = ("solid", "dash", "dot", "dashdot")

Style = Mapping[str, tuple[str, str]]


def styles(plots: Sequence[Plot]) -> Style:
    """A colour and a dash for each name of a curve, the same in all `plots`."""
    names = dict.fromkeys(curve.name for plot in plots for curve in plot.curves)
    return {
        name: (PALETTE[i % len(PALETTE)], _DASHES[i // len(PALETTE) % len(_DASHES)]) for i, name in enumerate(names)
    }


def figure(plot: Plot, at: str, style: Style) -> Figure:
    """A plot on a page, where `at` names it."""
    drawn = [_line(curve, plot, *style[curve.name]) for curve in plot.curves]
    axes: dict[str, Any] = {
        "xaxis": _axis(plot.log_x, [x for curve in plot.curves for x in curve.x]),
        "yaxis": _axis(plot.log_y, _edges(plot)) | _cut(plot),
    }
    reading = " ".join(filter(None, [plot.reading, _beyond(plot), _open_ends(plot)]))
    return Figure(
        at,
        flat(plot.title, 200),
        flat(reading, 2000),
        lines(drawn, x_title=flat(plot.x_title), y_title=flat(plot.y_title), **axes),
        _table(plot),
    )


def _line(curve: Curve, plot: Plot, colour: str, dash: str) -> Line:
    """A curve as it can be drawn: an end that the axis can't show lies on the edge of what it does show."""
    least, most = _edges(plot)

    def within(value: float) -> float:
        return value if math.isnan(value) else min(max(value, least), most)

    low, high = ([within(value) for value in limit] for limit in (curve.low, curve.high))
    middle = [value if _can_be_shown(value, plot) else math.nan for value in curve.middle]
    return Line(curve.name, list(curve.x), middle, low, high, colour, dash)


def _edges(plot: Plot) -> tuple[float, float]:
    shown = [value for curve in plot.curves for value in _values(curve) if _can_be_shown(value, plot)]
    return (min(shown), max(shown)) if shown else (-math.inf, math.inf)


def _values(curve: Curve) -> Iterator[float]:
    yield from (*curve.middle, *curve.low, *curve.high)


def _can_be_shown(value: float, plot: Plot) -> bool:
    return math.isfinite(value) and (value > 0 or not plot.log_y)


def _cut(plot: Plot) -> dict[str, Any]:
    """The range of a linear axis that ends before its values do."""
    least, most = _edges(plot)
    if plot.log_y or most <= plot.y_end:
        return {}
    return {"range": [min(least, 0.0) - 0.03 * plot.y_end, plot.y_end]}


def _beyond(plot: Plot) -> str:
    """What the reader has to know of values above the end of the axis."""
    if not _cut(plot):
        return ""
    return f"The axis ends at {short(plot.y_end)}; values go on to {short(_edges(plot)[1])}, as the table has them."


def _open_ends(plot: Plot) -> str:
    """What the reader has to know of values that no axis can show."""
    values = [value for curve in plot.curves for value in _values(curve)]
    said = []
    if any(math.isinf(value) for value in values):
        said.append("A value without end leaves a gap in its line, and a band without end reaches the edge.")
    if plot.log_y and any(value <= 0 and math.isfinite(value) for value in values):
        said.append("Zero has no place on this axis: a line breaks off there, and a band reaches the lower edge.")
    return " ".join(said)


def _axis(log: bool, values: Sequence[float]) -> dict[str, Any]:
    """A logarithmic axis has marks at 1, 2 and 5 where it is short, else at powers of ten, some eight at most."""
    if not log:
        return {}
    shown = [value for value in values if value > 0 and math.isfinite(value)]
    decades = math.log10(max(shown) / min(shown)) if shown else 0.0
    return {"type": "log", "exponentformat": "power", "dtick": "D2" if decades < 2 else math.ceil(decades / 8)}


def _table(plot: Plot) -> Table:
    columns = [flat(plot.x_title), "median", "from", "to"]
    kept = [row for curve in plot.curves for row in _rows(curve)]
    whole = sum(len(curve.x) for curve in plot.curves)
    caption = "" if len(kept) == whole else f"{len(kept):,} of {whole:,} points; the JSON file has them all."
    if not any(curve.low for curve in plot.curves):
        columns, kept = columns[:2], [row[:3] for row in kept]
    return Table(["curve", *columns], kept, caption)


def _rows(curve: Curve) -> list[list[str]]:
    count = len(curve.x)
    chosen = range(count) if count <= _MOST_ROWS else _evenly(count)
    banded = len(curve.low) == count
    return [
        [
            flat(curve.name),
            short(curve.x[i]),
            number(curve.middle[i]),
            number(curve.low[i]) if banded else "",
            number(curve.high[i]) if banded else "",
        ]
        for i in chosen
    ]


def _evenly(count: int) -> list[int]:
    """Places from the first to the last, at equal steps."""
    return sorted({round(i * (count - 1) / (_MOST_ROWS - 1)) for i in range(_MOST_ROWS)})


def short(value: float) -> str:
    """A number, without decimals where it is whole."""
    whole = math.isfinite(value) and value == round(value)
    return f"{value:,.0f}".replace("-", "−") if whole else number(value)

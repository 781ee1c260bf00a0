"""Plots as Plotly's plain dictionaries. Colours are legible on light and on dark; the page sets those of text."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boldly.progress import Interval
from boldly.text import for_plot

PALETTE = ("#2f7ed8", "#d9822b", "#259b6f", "#9467bd", "#cf4f5b", "#1f9aa8", "#a67c1f", "#c561a5")
GREY = "#868e96"

Plot = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """A named curve; `low` and `high` make the band behind it where they are there."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    colour: str = PALETTE[0]
    dash: str = "solid"


def interval_line(name: str, x: Sequence[float], intervals: Sequence[Interval], colour: str = PALETTE[0]) -> Line:
    """The values of `intervals` as a line and their ends as its band."""
    return Line(name, x, [i.value for i in intervals], [i.low for i in intervals], [i.high for i in intervals], colour)


def lines(curves: Sequence[Line], *, x_title: str, y_title: str, **layout: Any) -> Plot:
    """Curves with their bands over one axis."""
    data = [trace for curve in curves for trace in (*_band(curve), _line(curve))]
    return {"data": data, "layout": _layout(x_title, y_title, legend=len(curves) > 1, **layout)}


def areas(x: Sequence[float], shares: Mapping[str, Sequence[float]], *, x_title: str, y_title: str) -> Plot:
    """Shares of a whole, stacked; there are colours for nine."""
    data = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": for_plot(name),
            "x": list(x),
            "y": _finite(values),
            "stackgroup": "all",
            "line": {"width": 0.5, "color": colour},
            "fillcolor": _translucent(colour, 0.75),
            "hovertemplate": "%{y:.0%}",
        }
        for (name, values), colour in zip(shares.items(), (*PALETTE, GREY), strict=False)
    ]
    layout = _layout(x_title, y_title, legend=True, yaxis={"range": [0, 1], "tickformat": ".0%"})
    return {"data": data, "layout": layout}


def bars(
    x: Sequence[float], stacks: Mapping[str, Sequence[float]], *, x_title: str, y_title: str, **layout: Any
) -> Plot:
    """Counts, stacked."""
    data = [
        {
            "type": "bar",
            "name": for_plot(name),
            "x": list(x),
            "y": _finite(values),
            "marker": {"color": PALETTE[i % len(PALETTE)]},
        }
        for i, (name, values) in enumerate(stacks.items())
    ]
    return {"data": data, "layout": _layout(x_title, y_title, legend=True, barmode="stack", bargap=0.15, **layout)}


@dataclass(frozen=True, slots=True)
class Track:
    """Points in the order they were reached, each with its interval in both directions and a word for it.

    `first` says that it stands for its name in the legend.
    """

    name: str
    x: Sequence[Interval]
    y: Sequence[Interval]
    words: Sequence[str]
    colour: str = PALETTE[0]
    first: bool = True


def tracks(paths: Sequence[Track], *, x_title: str, y_title: str) -> Plot:
    """Points joined in their order; a track alone has crosses of its intervals, which would hide one another."""
    alone = len(paths) == 1
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": for_plot(one.name),
            "x": _finite([i.value for i in one.x]),
            "y": _finite([i.value for i in one.y]),
            "error_x": _error(one.x, one.colour) if alone else {"visible": False},
            "error_y": _error(one.y, one.colour) if alone else {"visible": False},
            "showlegend": one.first and not alone,
            "legendgroup": for_plot(one.name),
            "text": [for_plot(word) for word in one.words],
            "hovertemplate": "%{text}<br>%{x:.2f}, %{y:.2f}<extra></extra>",
            "line": {"color": _translucent(one.colour, 0.5), "width": 1.5},
            "marker": {"color": one.colour, "size": 7},
        }
        for one in paths
    ]
    return {"data": data, "layout": _layout(x_title, y_title, legend=not alone, hovermode="closest")}


@dataclass(frozen=True, slots=True)
class Dot:
    """A value with an interval in a row of its own; what is infinite is known to lie beyond `seen`."""

    name: str
    value: float
    low: float
    high: float
    seen: float
    colour: str = PALETTE[0]


def dots(rows: Sequence[Dot], *, x_title: str, most: float) -> Plot:
    """One row for each value up to `most`. One that is infinite is drawn where it was last seen, as an open marker."""
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": for_plot(row.name),
            "y": [for_plot(row.name)],
            "x": [_shown(row)],
            "error_x": {
                "type": "data",
                "symmetric": False,
                "array": [max(0.0, min(row.high, most) - _shown(row))],
                "arrayminus": [max(0.0, _shown(row) - row.low)],
                "color": row.colour,
                "thickness": 2,
                "width": 5 if math.isfinite(row.high) else 0,
            },
            "marker": {
                "color": row.colour,
                "size": 11,
                "line": {"width": 2, "color": row.colour},
                "symbol": "circle" if math.isfinite(row.value) else "triangle-right-open",
            },
            "hovertemplate": "%{x:.0f}",
        }
        for row in rows
    ]
    layout = _layout(x_title, "", legend=False, yaxis={"automargin": True, "autorange": "reversed", "type": "category"})
    layout["height"] = 110 + 46 * len(rows)
    layout["xaxis"]["range"] = [0, most * 1.05]
    layout["hovermode"] = "closest"
    return {"data": data, "layout": layout}


def _shown(row: Dot) -> float:
    return row.value if math.isfinite(row.value) else row.seen


def _line(curve: Line) -> Plot:
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(curve.x) < 40 and curve.dash == "solid" else "lines",
        "name": for_plot(curve.name),
        "x": list(curve.x),
        "y": _finite(curve.y),
        "line": {"color": curve.colour, "width": 2.2, "dash": curve.dash},
        "marker": {"size": 5},
        "legendgroup": for_plot(curve.name),
    }


def _band(curve: Line) -> list[Plot]:
    """The region between low and high; where a limit has no end there is no band."""
    limits = [
        (x, low, high)
        for x, low, high in zip(curve.x, curve.low, curve.high, strict=False)
        if math.isfinite(low) and math.isfinite(high)
    ]
    if not limits:
        return []
    x, low, high = (list(column) for column in zip(*limits, strict=True))
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": x + x[::-1],
            "y": high + low[::-1],
            "fill": "toself",
            "fillcolor": _translucent(curve.colour, 0.18),
            "line": {"width": 0},
            "hoverinfo": "skip",
            "showlegend": False,
            "legendgroup": for_plot(curve.name),
        }
    ]


def _error(intervals: Sequence[Interval], colour: str) -> Plot:
    return {
        "type": "data",
        "symmetric": False,
        "array": _finite([i.high - i.value for i in intervals]),
        "arrayminus": _finite([i.value - i.low for i in intervals]),
        "color": _translucent(colour, 0.45),
        "thickness": 1,
        "width": 0,
    }


def _layout(x_title: str, y_title: str, *, legend: bool, **more: Any) -> Plot:
    layout: Plot = {
        "xaxis": {"title": {"text": x_title}, "fixedrange": True, "zeroline": False, "automargin": True},
        "yaxis": {"title": {"text": y_title}, "fixedrange": True, "zeroline": False, "automargin": True},
        "showlegend": legend,
        "hovermode": "x unified",
    }
    for key, value in more.items():
        layout[key] = {**layout[key], **value} if isinstance(value, Mapping) and key in layout else value
    return layout


def _finite(values: Sequence[float]) -> list[float | None]:
    """What JSON can hold: a value that is not finite leaves a gap."""
    return [value if math.isfinite(value) else None for value in values]


def _translucent(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"

"""One number with its interval over the labels bought."""

from collections.abc import Callable

from boldly.progress import Interval, Record
from boldly.report.blocks import Figure, Table
from boldly.report.numbers import count, percent
from boldly.report.plots import Line, interval_line, lines

LABELS = "labels bought"
BAND = "The band is the 95% interval over held-out prompts."


def curve(
    id: str,
    title: str,
    y_title: str,
    values: list[tuple[Record, Interval]],
    show: Callable[[float], str],
    reading: str,
    beside: Line | None = None,
) -> Figure:
    """One interval over labels, with its table."""
    curve = interval_line(y_title, [float(record.labels) for record, _ in values], [value for _, value in values])
    axis = {"tickformat": ".0%"} if show is percent else {}
    return Figure(
        id,
        title,
        reading,
        lines([curve, *([beside] if beside else [])], x_title=LABELS, y_title=y_title, yaxis=axis),
        Table(
            ["labels", y_title, "from", "to", "prompts"],
            [[count(r.labels), show(v.value), show(v.low), show(v.high), count(v.n)] for r, v in values],
        ),
    )

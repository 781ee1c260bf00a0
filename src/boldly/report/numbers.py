"""Numbers as people read them: few digits, a real minus sign, and no more precision than there is."""

import math

from boldly.progress import Interval

NONE = "–"


def number(value: float | None) -> str:
    """Two decimals below ten, then one, then none; small ones to two significant digits."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if size >= 1000:
        text = f"{size:,.0f}"
    elif size >= 100:
        text = f"{size:.0f}"
    elif size >= 10:
        text = f"{size:.1f}"
    elif size >= 0.01 or size < 5e-7:
        text = f"{size:.2f}"
    elif size >= 1e-4:
        text = f"{size:.2g}"
    else:
        text = f"{size:.1e}"
    return f"−{text}" if value < 0 and float(text.replace(",", "")) else text


def money(value: float) -> str:
    """An amount to the hundredth; a small one, such as the price of a judge's label, to four digits."""
    if value == 0.0 or abs(value) >= 1.0:
        return f"{value:,.2f}"
    digits = 3 - math.floor(math.log10(abs(value)))
    whole, _, rest = f"{value:.{digits}f}".rstrip("0").partition(".")
    return f"{whole}.{rest:<02}"


def percent(share: float | None) -> str:
    """A share in whole percent; one decimal below 10%, so that 0.4% is not 0."""
    if share is None or not math.isfinite(share):
        return NONE
    value = 100 * share
    return f"{value:.1f}%" if 0 < abs(value) < 9.95 else f"{value:.0f}%"


def count(value: int) -> str:
    return f"{value:,}"


def span(interval: Interval | None, show=number) -> str:
    """`0.42 (0.37 to 0.47)`."""
    if interval is None:
        return NONE
    return f"{show(interval.value)} ({show(interval.low)} to {show(interval.high)})"

import math
from typing import Any

from boldly.lab.experiments import Curve, Plot
from boldly.report.lab.figures import figure, styles
from boldly.report.plots import PALETTE


def plot(*curves: Curve, **more: Any) -> Plot:
    return Plot("p", "title", "How to read it.", "labels", "gap", curves, **more)


def drawn(made: Plot) -> dict:
    return figure(made, "p", styles([made])).plot


def test_axes_are_logarithmic_where_asked():
    one = Curve("a", [1.0, 10.0], [1.0, 2.0])
    for log_x, log_y in ((False, False), (True, False), (False, True)):
        layout = drawn(plot(one, log_x=log_x, log_y=log_y))["layout"]
        assert (layout["xaxis"].get("type"), layout["yaxis"].get("type")) == (
            "log" if log_x else None,
            "log" if log_y else None,
        )
        assert layout["xaxis"]["title"]["text"] == "labels"


def test_a_name_has_one_colour_on_a_page_and_no_two_look_the_same():
    names = [f"method {i}" for i in range(20)]
    plots = [plot(*(Curve(name, [1.0], [1.0]) for name in part)) for part in (names[:3], names[::-1])]
    style = styles(plots)
    assert len(set(style.values())) == 20
    assert [style[name][0] for name in names[:3]] == list(PALETTE[:3])
    colours = [{line["name"]: line["line"]["color"] for line in figure(p, "p", style).plot["data"]} for p in plots]
    assert colours[0].items() <= colours[1].items()


def test_a_band_without_end_reaches_the_edge():
    made = plot(Curve("a", [1.0, 2.0], [3.0, math.inf], [1.0, 2.0], [4.0, math.inf]))
    band, line = drawn(made)["data"]
    assert band["y"] == [4.0, 4.0, 2.0, 1.0]
    assert line["y"] == [3.0, None]
    assert "band without end reaches the edge" in figure(made, "p", styles([made])).reading


def test_zero_has_no_place_on_a_logarithmic_axis():
    made = plot(Curve("a", [1.0, 2.0], [3.0, 0.0], [0.5, 0.0], [4.0, 1.0]), log_y=True)
    band, line = drawn(made)["data"]
    assert line["y"] == [3.0, None]
    assert band["y"] == [4.0, 1.0, 0.5, 0.5]
    assert "Zero has no place" in figure(made, "p", styles([made])).reading
    assert "Zero" not in figure(plot(*made.curves), "p", styles([made])).reading


def test_the_table_behind_has_the_numbers_and_says_what_it_leaves_out():
    short = figure(plot(Curve("a", [1.0, 2.5], [3.0, 0.25])), "p", styles([plot(Curve("a", [], []))])).table
    assert short.columns == ["curve", "labels", "median"]
    assert short.rows == [["a", "1", "3.00"], ["a", "2.50", "0.25"]]
    assert short.caption == ""
    x = [float(i) for i in range(1000)]
    made = plot(Curve("a", x, x, x, x))
    long = figure(made, "p", styles([made])).table
    assert long.columns == ["curve", "labels", "median", "from", "to"]
    assert (long.rows[0][1], long.rows[-1][1], len(long.rows)) == ("0", "999", 40)
    assert long.caption == "40 of 1,000 points; the JSON file has them all."


def test_an_axis_that_ends_before_its_values_says_so():
    one = Curve("a", [1.0, 2.0], [0.5, 6.0], [0.25, 2.0], [1.0, 36.5])
    cut, whole = (figure(plot(one, y_end=end), "p", styles([plot(one)])) for end in (3.0, 40.0))
    assert cut.plot["layout"]["yaxis"]["range"][1] == 3.0
    assert cut.plot["data"][1]["y"] == [0.5, 6.0]
    assert "ends at 3; values go on to 36.5" in cut.reading
    assert "range" not in whole.plot["layout"]["yaxis"]
    assert whole.reading == "How to read it."

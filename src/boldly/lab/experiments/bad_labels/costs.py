"""What every labeller costs every method: the table, and the shares of flipped labels as curves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.lab.experiments.bad_labels.setup import Instances, Labeller, Setup, standard
from boldly.lab.experiments.beside import beside
from boldly.lab.experiments.outcome import Curve, Finding, Grid, Plot, Score
from boldly.lab.experiments.summary import BAND, mean, percent
from boldly.lab.method import Method
from boldly.lab.trace import Trace

ROBUST, DPO = "robust DPO", "DPO"


@dataclass(frozen=True, slots=True)
class Cell:
    """What one method makes of one labeller: of expected labels, and of drawn ones over labels."""

    expected: Instances
    trace: Trace

    @property
    def drawn(self) -> Instances:
        return self.trace["left"][:, -1]


Cells = Mapping[str, Mapping[str, Cell]]
"""By the labeller's name and then the method's."""


def measure(
    place: Setup, everyone: Sequence[Labeller], methods: Sequence[Method], watch: Callable[[float], None]
) -> Cells:
    """Every method on every labeller. Raises `InvalidInput` where two methods have the same name."""
    asked = [(labeller, beside(standard(place, labeller.rate), methods)) for labeller in everyone]
    cells: dict[str, dict[str, Cell]] = {}
    for done, (labeller, its) in enumerate(asked):
        cells[labeller.name] = {method.name: _cell(place, method, labeller) for method in its}
        watch((done + 1) / len(asked))
    return cells


def _cell(place: Setup, method: Method, labeller: Labeller) -> Cell:
    expected = place.trace(method, labeller.law)["left"][:, -1]
    return Cell(expected, place.trace(method, labeller.law, drawn=True))


def costs(place: Setup, cells: Cells) -> Finding:
    """The table: nothing is claimed of it as a whole."""
    names = list(dict.fromkeys(name for row in cells.values() for name in row))
    most = place.rounds * place.labels
    clean = cells["clean"][DPO]
    return Finding(
        id="costs",
        title="What each kind of bad label costs",
        claim="Nothing is claimed of the table as a whole; its rows are taken up one by one below.",
        verdict=f"Of the reference's gap DPO keeps {percent(mean(DPO, '', clean.expected))} on clean expected labels "
        f"and {percent(mean(DPO, '', clean.drawn))} on {most:,} drawn ones; the dearest labeller is "
        f"{_dearest(cells)}.",
        holds=None,
        tables=(
            _grid("Left of the gap, labels as probabilities", cells, names, lambda cell: cell.expected),
            _grid(f"Left of the gap, {most:,} drawn labels", cells, names, lambda cell: cell.drawn),
        ),
    )


def _dearest(cells: Cells) -> str:
    name = max(cells, key=lambda labeller: float(cells[labeller][DPO].expected.mean()))
    return f"`{name}` with {percent(mean(DPO, '', cells[name][DPO].expected))} of expected ones"


def _grid(title: str, cells: Cells, names: Sequence[str], of: Callable[[Cell], Instances]) -> Grid:
    rows = [
        (labeller, *(percent(mean(name, "", of(row[name]))) if name in row else "as DPO" for name in names))
        for labeller, row in cells.items()
    ]
    return Grid(title, ("labels", *names), rows)


def scores(cells: Cells) -> Sequence[Score]:
    """What is left of the gap after the last drawn label, for each method and labeller."""
    return [
        mean(name, f"left of the gap, {labeller}", cell.drawn)
        for labeller, row in cells.items()
        for name, cell in row.items()
    ]


def flips(place: Setup, cells: Cells, flipped: Sequence[Labeller]) -> Finding:
    """Robust DPO at the true rate against DPO."""
    expected = {name: [float(cells[one.name][name].expected.mean()) for one in flipped] for name in (ROBUST, DPO)}
    grows = expected[DPO] == sorted(expected[DPO])
    holds = max(expected[ROBUST]) <= 0.01 < min(expected[DPO]) and grows
    gains = [mean("", "", cells[one.name][DPO].drawn - cells[one.name][ROBUST].drawn) for one in flipped]
    sure = [one.name for one, gain in zip(flipped, gains, strict=True) if gain.low > 0]
    most = place.rounds * place.labels
    rates = [one.rate or 0.0 for one in flipped]
    names = list(cells[flipped[0].name])
    readings = "At the left few labels are flipped, at the right many; 1 is the reference's gap and 0 the optimum."
    return Finding(
        id="flips",
        title="Labels the wrong way round",
        claim=(
            "In expectation robust DPO at the true rate learns the clean optimum, where DPO does not (arXiv "
            "2403.00409): of the gap robust DPO keeps at most 1% at every rate, DPO more, rising with it."
        ),
        verdict=f"Of expected labels robust DPO keeps at most {max(expected[ROBUST]):.2%} of the gap, DPO from "
        f"{min(expected[DPO]):.1%} to {max(expected[DPO]):.1%}. With {most:,} drawn labels robust DPO is surely the "
        f"better one (the interval of the difference lies above 0) at {len(sure)} of {len(flipped)} rates."
        + _crossing(cells[flipped[-1].name], flipped[-1].name),
        holds=holds,
        plots=(
            Plot(
                "flips-expected",
                "Labels as probabilities",
                readings,
                "share of flipped labels",
                "share of the gap that is left",
                [_over(name, rates, [cells[one.name][name].expected for one in flipped]) for name in names],
            ),
            Plot(
                "flips-drawn",
                f"{most:,} drawn labels",
                readings + " What is more than above is noise.",
                "share of flipped labels",
                "share of the gap that is left",
                [_over(name, rates, [cells[one.name][name].drawn for one in flipped]) for name in names],
            ),
            _over_labels(cells[flipped[-1].name], flipped[-1].name),
        ),
    )


def _crossing(row: Mapping[str, Cell], labeller: str) -> str:
    """From when on the mean of robust DPO is below DPO's for good."""
    robust, plain = (row[name].trace for name in (ROBUST, DPO))
    behind = (robust["left"].mean(0) > plain["left"].mean(0)).nonzero()
    ahead = int(behind.max()) + 1 if behind.numel() else 0
    if ahead == len(robust.labels):
        return f" At `{labeller}` it is still behind after {robust.labels[-1]:,}."
    return f" At `{labeller}` it is behind no more after {robust.labels[ahead]:,}."


def _over(name: str, x: Sequence[float], values: Sequence[Instances]) -> Curve:
    return middle(name, x, torch.stack(list(values), -1))


def middle(name: str, x: Sequence[float], values: Float[Tensor, "instances measurements"]) -> Curve:
    """The mean over instances at each x, as in the tables, with the band from the 10% to the 90% quantile."""
    low, high = (values.quantile(q, dim=0).tolist() for q in BAND)
    return Curve(name, list(x), values.mean(0).tolist(), low, high)


def _over_labels(row: Mapping[str, Cell], labeller: str) -> Plot:
    return Plot(
        "flips-labels",
        f"Label by label: {labeller}",
        "Robust DPO is right on average and pays for it with noise, most with few labels: where the lines cross it has "
        "been worth it.",
        "labels",
        "share of the gap that is left",
        [middle(name, cell.trace.labels, cell.trace["left"]) for name, cell in row.items()],
    )

"""The experiment itself: every identity on every instance, and the table of what came out."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.experiments.identities.missing import MISSING
from boldly.lab.experiments.identities.neutral import NEUTRAL
from boldly.lab.experiments.identities.optima import OPTIMA, sppo_residuals
from boldly.lab.experiments.identities.optimism import OPTIMISM
from boldly.lab.experiments.identities.row import Identity, Sides
from boldly.lab.experiments.identities.sample import ALPHA, BETA, Sample, draw
from boldly.lab.experiments.identities.trees import MIXTURES, TREES
from boldly.lab.experiments.outcome import Finding, Grid, Outcome, Plot, Score, Watch, unwatched
from boldly.lab.experiments.summary import band, figure, slope
from boldly.lab.problems.checks import require_count

IDENTITIES: tuple[Identity, ...] = NEUTRAL + OPTIMISM + OPTIMA + TREES + MIXTURES

_ETAS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class Measured(NamedTuple):
    """One identity and its errors in every instance."""

    identity: Identity
    sides: Sides

    @property
    def error(self) -> float:
        """The largest error; NaN, which is no error, where one was."""
        return float(self.sides.held.max())

    @property
    def control(self) -> float:
        return float(self.sides.broken.min())

    @property
    def holds(self) -> bool:
        return self.error <= self.identity.tolerance

    @property
    def can_fail(self) -> bool:
        return self.control > self.identity.tolerance


def identities(*, seeds: int = 100, responses: int = 6, watch: Watch = unwatched) -> Outcome:
    """Which methods are one another under another name, and how exactly do the parts here show it?

    An identity holds if its two sides differ by no more than its tolerance in every one of `seeds` random instances of
    `responses` responses, everything enumerated. Each is also tried with its condition broken, where the sides have to
    differ in every instance: a check that can't fail shows nothing.

    Raises `InvalidInput` for fewer than one seed or three responses.
    """
    require_count("seeds", seeds, "seeds=100")
    if responses < 3:
        raise InvalidInput(
            f"responses is {responses}, but preferences that no reward explains need three: write `responses=6`."
        )
    sample = draw(seeds, responses)
    measured: list[Measured] = []
    for done, identity in enumerate(IDENTITIES):
        measured.append(Measured(identity, identity.sides(sample)))
        watch((done + 1) / (len(IDENTITIES) + 1))
    residual = _residual(sample)
    watch(1.0)
    return Outcome(
        name="identities",
        title="Methods that are one another",
        question="Which methods are one another under another name, and how exactly do the parts here show it?",
        instance=_instance(seeds, responses),
        settings={"seeds": seeds, "responses": responses},
        findings=[_held(measured), _controls(measured), residual, _missing()],
        scores=[
            Score(one.identity.id, "largest error", one.error, *_range(one.sides.held), n=seeds) for one in measured
        ],
    )


def _range(errors: Float[Tensor, " instances"]) -> tuple[float, float]:
    return float(errors.min()), float(errors.max())


def _instance(seeds: int, responses: int) -> Sequence[str]:
    return (
        f"{seeds} random instances of one prompt and {responses} responses: the reference, another policy and the laws "
        f"of both responses have standard normal logits, rewards are standard normal, beta is {BETA:g} reward per nat "
        f"and alpha {ALPHA:g}. Preferences come from the rewards, or are such that no reward explains them.",
        "Every pair of responses is enumerated with its probability: each number is an exact expectation in float64. "
        "Token trees have 3 tokens and up to 3 steps.",
        "An error is a difference of values or of entries of a gradient; for a minimum it is its distance in nats from "
        "where it is claimed to be, by one Newton step there. Tolerance 0 means equal to the last bit.",
    )


def _held(measured: Sequence[Measured]) -> Finding:
    failed = [one.identity.id for one in measured if not one.holds]
    count = len(measured) - len(failed)
    return Finding(
        id="identities",
        title="What holds",
        claim=(
            "Every identity that the parts allow holds to its tolerance in every instance (the papers named in the "
            "docstrings of the objectives)."
        ),
        verdict=f"{count} of {len(measured)} hold and {len(MISSING)} need parts that are missing."
        + (f" Not held: {', '.join(failed)}." if failed else ""),
        holds=not failed,
        tables=(
            Grid(
                "Identities",
                ("identity", "left side", "condition", "right side", "largest error", "tolerance", "holds"),
                [_row(one) for one in measured],
            ),
        ),
    )


def _row(one: Measured) -> Sequence[str]:
    identity = one.identity
    return (
        identity.id,
        identity.left,
        identity.condition,
        identity.right,
        figure(one.error, 2),
        figure(identity.tolerance, 2),
        "yes" if one.holds else "no",
    )


def _controls(measured: Sequence[Measured]) -> Finding:
    blind = [one.identity.id for one in measured if not one.can_fail]
    nearest = min(one.control for one in measured)
    return Finding(
        id="controls",
        title="What fails when it has to",
        claim="With its condition broken no identity holds, in any instance (a control; no paper claims it).",
        verdict=f"{len(measured) - len(blind)} of {len(measured)} are told apart; the smallest difference is "
        f"{figure(nearest, 2)}." + (f" Not told apart: {', '.join(blind)}." if blind else ""),
        holds=not blind,
        tables=(
            Grid(
                "Controls",
                ("identity", "broken by", "smallest error", "tolerance"),
                [
                    (one.identity.id, one.identity.control, figure(one.control, 2), figure(one.identity.tolerance, 2))
                    for one in measured
                ],
            ),
        ),
    )


def _residual(sample: Sample) -> Finding:
    """The one identity that is a limit."""
    found = torch.stack([sppo_residuals(sample, eta)[0] for eta in _ETAS], -1)
    small = [place for place, eta in enumerate(_ETAS) if eta <= 0.1]
    medians = found[:, small].quantile(0.5, dim=0).log().tolist()
    exponent = slope([torch.tensor(_ETAS[place]).log().item() for place in small], medians)
    last = float(found[:, -1].quantile(0.5))
    return Finding(
        id="sppo-residual",
        title="The one that is a limit",
        claim=(
            "SPPO's minimum is multiplicative weights up to a residual that falls as eta^3 (arXiv 2405.00675 replaces "
            "the normaliser by a constant): the fitted exponent for eta up to 0.1 lies between 2.9 and 3.1."
        ),
        verdict=f"The exponent is {exponent.value:.3f} [{exponent.low:.3f}, {exponent.high:.3f}]; at eta = 1 the "
        f"median distance is {figure(last, 2)} nats.",
        holds=2.9 <= exponent.value <= 3.1,
        plots=(
            Plot(
                id="sppo-residual",
                title="SPPO's minimum against multiplicative weights",
                reading="A straight line of slope 3: with half the step an eighth of the difference is left.",
                x_title="eta, nats per unit of win probability",
                y_title="largest difference of log-probabilities, nats",
                curves=(band("SPPO", _ETAS, found),),
                log_x=True,
                log_y=True,
            ),
        ),
    )


def _missing() -> Finding:
    return Finding(
        id="missing",
        title="What can't be tried yet",
        claim="Nothing is claimed of identities whose parts are not built.",
        verdict=f"{len(MISSING)} rows of the table need a part that is missing.",
        holds=None,
        tables=(
            Grid(
                "Missing",
                ("identity", "left side", "condition", "right side", "needs"),
                [(row.id, row.left, row.condition, row.right, f"needs {row.needs}") for row in MISSING],
            ),
        ),
    )

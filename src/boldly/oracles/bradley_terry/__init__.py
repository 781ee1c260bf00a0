"""A simulated labeller, to rehearse a run with: a hidden reward, and everything that labellers do wrong."""

from boldly.oracles.bradley_terry.chances import chances, sigmoid
from boldly.oracles.bradley_terry.knobs import Knobs
from boldly.oracles.bradley_terry.labeller import BradleyTerry
from boldly.oracles.functions import load_function

__all__ = ["BradleyTerry", "Knobs", "bradley_terry", "chances", "sigmoid"]


def bradley_terry(
    *,
    function: str,
    scale: float = 1.0,
    noise: float = 0.0,
    flip: float = 0.0,
    position_bias: float = 0.0,
    length_bias: float = 0.0,
    intransitivity: float = 0.0,
    ties: float = 0.0,
    abstentions: float = 0.0,
    failures: float = 0.0,
    outage_from: int = 0,
    outage_to: int = 0,
    delay: float = 0.0,
    draw: bool = True,
    price: float = 0.0,
    seed: int = 0,
) -> BradleyTerry:
    """Simulate a labeller whose hidden reward is the Python function named by `function`."""
    return BradleyTerry(
        load_function(function),
        name=f"bradley_terry:{function}",
        scale=scale,
        noise=noise,
        flip=flip,
        position_bias=position_bias,
        length_bias=length_bias,
        intransitivity=intransitivity,
        ties=ties,
        abstentions=abstentions,
        failures=failures,
        outage_from=outage_from,
        outage_to=outage_to,
        delay=delay,
        draw=draw,
        price=price,
        seed=seed,
    )

"""A simulated labeller: a hidden reward, and the noise with which people compare (Bradley and Terry, 1952)."""

import math
import random
from collections.abc import Iterator, Sequence

from boldly.errors import OracleError
from boldly.oracles.functions import kind_of, load_function
from boldly.oracles.protocol import Answer, Reward
from boldly.oracles.verdicts import number_of, raised
from boldly.randomness import derive
from boldly.types import Failure, Preference, Query, Verdict


class BradleyTerry:
    """Prefers `a` with probability sigmoid(scale * (r(a) - r(b))), with `r` the hidden reward.

    `scale` (per unit of reward): 0 is a coin, infinity always says the better. `noise` is the standard deviation of a
    Gaussian error e in the difference, `flip` the chance that a labeller says the opposite of what they mean:

        p  = sigmoid(scale * (r(a) - r(b) + noise * e)),    e ~ N(0, 1)
        p' = (1 - flip) * p + flip * (1 - p)

    With `draw` the verdict is one draw from p', 1 or 0; without it p' itself. Each draw depends on `seed` and the
    query's id alone. A reward that raises or is not finite has failed at that query. `price` is what one query costs.

    Raises `OracleError` for a flip outside [0, 1] or a scale or noise below 0.
    """

    def __init__(
        self,
        reward: Reward,
        *,
        name: str = "bradley_terry",
        scale: float = 1.0,
        flip: float = 0.0,
        noise: float = 0.0,
        draw: bool = True,
        price: float = 0.0,
        seed: int = 0,
    ) -> None:
        if kind_of(reward) != "reward":
            raise OracleError("the hidden reward sees one response; write `def reward(prompt, response): ...`.")
        if not 0.0 <= flip <= 1.0:
            raise OracleError(f"flip {flip!r} is a chance of error in [0, 1]; write `flip: 0.1`.")
        if not (scale >= 0.0 and 0.0 <= noise < math.inf):
            raise OracleError(
                f"scale {scale!r} and noise {noise!r} can't be below 0; write `scale: 1.0`, `noise: 0.0`."
            )
        self._reward, self._name, self._price = reward, name, price
        self._scale, self._flip, self._noise = scale, flip, noise
        self._draw, self._seed = draw, seed

    @property
    def name(self) -> str:
        return self._name

    def bound(self, query: Query) -> float:
        return self._price

    @property
    def reward(self) -> Reward:
        return self._reward

    def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]:
        for query in queries:
            yield Answer(query, self._verdict(query))

    def _verdict(self, query: Query) -> Verdict:
        try:
            a = number_of(self._reward(query.prompt, query.a))
            b = number_of(self._reward(query.prompt, query.b))
        except Exception as error:
            return raised(error)
        if not (math.isfinite(a) and math.isfinite(b)):
            return Failure(f"the reward is not finite: {a!r} for a, {b!r} for b")
        difference = a - b
        if self._noise:
            difference += self._noise * self._randomness("noise", query).gauss(0.0, 1.0)
        p = sigmoid(self._scale * difference if difference else 0.0)
        p = (1.0 - self._flip) * p + self._flip * (1.0 - p)
        return Preference(float(self._randomness("label", query).random() < p) if self._draw else p)

    def _randomness(self, what: str, query: Query) -> random.Random:
        return random.Random(derive(self._seed, what, query.id))


def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)), for any x: it never overflows."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    return math.exp(x) / (1.0 + math.exp(x))


def bradley_terry(
    *,
    function: str,
    scale: float = 1.0,
    flip: float = 0.0,
    noise: float = 0.0,
    draw: bool = True,
    price: float = 0.0,
    seed: int = 0,
) -> BradleyTerry:
    """Simulate a labeller whose hidden reward is the Python function named by `function`."""
    return BradleyTerry(
        load_function(function),
        name=f"bradley_terry:{function}",
        scale=scale,
        flip=flip,
        noise=noise,
        draw=draw,
        price=price,
        seed=seed,
    )

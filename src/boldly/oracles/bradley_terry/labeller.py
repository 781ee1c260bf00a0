"""The simulated labeller: an oracle over a hidden reward."""

import math
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Literal

from boldly.errors import OracleError
from boldly.oracles.bradley_terry.chances import chances
from boldly.oracles.bradley_terry.knobs import Knobs
from boldly.oracles.functions import kind_of
from boldly.oracles.protocol import Answer, Reward
from boldly.oracles.verdicts import number_of, raised
from boldly.randomness import derive
from boldly.types import Abstention, Failure, Preference, Prompt, Query, Response, Tie, Verdict, content_id

Order = Literal["ab", "ba"]


class BradleyTerry:
    """Compares by a hidden reward r (Bradley and Terry, Biometrika 39 (1952) 324), with the faults of real labellers.

    The log-odds, in nats, that a labeller finds `a` better:

        x = scale * (v(a) - v(b) + noise * e + intransitivity * sin(t(a) - t(b))) + position_bias * s
        v(y) = r(y) + length_bias * (characters of y),    e ~ N(0, 1)

    s is 1 where `a` was shown first and -1 where `b` was; the order is a fair coin and kept with the verdict. t(y) is
    an angle in [0, 2 pi) drawn for the prompt and the text y: a rock-paper-scissors taste that no reward has. The
    chances, of which the verdict is one draw:

        P(a) : P(tie) : P(b) = e^{x/2} : ties : e^{-x/2},    then P'(a) = (1 - flip) P(a) + flip P(b)

    with Davidson's ties (`boldly.oracles.bradley_terry.chances`). Without `draw` the verdict is P'(a) + P(tie) / 2.

    `scale` is per unit of reward: 0 is a coin, infinity always says the better. `noise` and `intransitivity` are in
    units of reward, `length_bias` in reward per character, `position_bias` in nats.

    With chance `abstentions` a query is declined. With chance `failures` an attempt fails, and is paid; whether it does
    depends on the query and on how often this object was asked it, so a further try may succeed. The attempts that
    this object makes are counted from 0, and those from number `outage_from` up to but without `outage_to` fail for
    nothing, as those at a server that is down do. An answer takes an exponential time of mean `delay` seconds.
    `price` is what one query costs.

    Every draw but that of failures depends on `seed` and the query's id alone. A reward that raises or is not finite
    has failed at that query. Raises `OracleError` for a knob out of range.
    """

    def __init__(
        self, reward: Reward, *, name: str = "bradley_terry", price: float = 0.0, seed: int = 0, **knobs: float
    ) -> None:
        if kind_of(reward) != "reward":
            raise OracleError("the hidden reward sees one response; write `def reward(prompt, response): ...`.")
        self._reward, self._name, self._price, self._seed = reward, name, price, seed
        self._knobs = Knobs(**knobs)  # pyright: ignore[reportArgumentType]
        self._config = content_id(name, asdict(self._knobs), seed)
        self._attempts = 0
        self._tries: Counter[str] = Counter()

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
            if self._knobs.delay:
                time.sleep(self._randomness("delay", query).expovariate(1.0 / self._knobs.delay))
            order: Order = "ab" if self._randomness("order", query).random() < 0.5 else "ba"
            failure, price = self._outside(query)
            verdict = failure or self._verdict(query, order)
            yield Answer(query, verdict, price, facts={"order": order, "config": self._config})

    def _outside(self, query: Query) -> tuple[Failure | None, float | None]:
        """How an attempt fails for reasons that have nothing to do with its responses, and what that costs."""
        attempt, number = self._attempts, self._tries[query.id]
        self._attempts += 1
        self._tries[query.id] += 1
        if self._knobs.outage_from <= attempt < self._knobs.outage_to:
            return Failure(f"simulated outage: attempt {attempt} of this run of the program"), 0.0
        if random.Random(derive(self._seed, "failure", query.id, number)).random() < self._knobs.failures:
            return Failure(f"simulated failure of try {number}"), None
        return None, None

    def _verdict(self, query: Query, order: Order) -> Verdict:
        try:
            a, b = self._value(query.prompt, query.a), self._value(query.prompt, query.b)
        except Exception as error:
            return raised(error)
        if not math.isfinite(a - b):
            return Failure(f"the reward is not finite: {a!r} for a, {b!r} for b")
        if self._randomness("abstention", query).random() < self._knobs.abstentions:
            return Abstention()
        win, tie = chances(self._log_odds(query, a - b, order), ties=self._knobs.ties, flip=self._knobs.flip)
        if not self._knobs.draw:
            return Preference(win + tie / 2.0)
        drawn = self._randomness("label", query).random()
        return Tie() if win <= drawn < win + tie else Preference(float(drawn < win))

    def _value(self, prompt: Prompt, response: Response) -> float:
        return number_of(self._reward(prompt, response)) + self._knobs.length_bias * len(response.text)

    def _log_odds(self, query: Query, difference: float, order: Order) -> float:
        if self._knobs.noise:
            difference += self._knobs.noise * self._randomness("noise", query).gauss(0.0, 1.0)
        if self._knobs.intransitivity:
            turn = self._angle(query.prompt, query.a) - self._angle(query.prompt, query.b)
            difference += self._knobs.intransitivity * math.sin(turn)
        first = self._knobs.position_bias * (1.0 if order == "ab" else -1.0)
        return (self._knobs.scale * difference if difference else 0.0) + first

    def _angle(self, prompt: Prompt, response: Response) -> float:
        return 2.0 * math.pi * derive(self._seed, "angle", content_id(prompt.id, response.text)) / 2.0**63

    def _randomness(self, what: str, query: Query) -> random.Random:
        return random.Random(derive(self._seed, what, query.id))

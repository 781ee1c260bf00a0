"""Rock, paper, scissors: what goes round, what arrives and how fast."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from boldly.lab.experiments.games.setting import (
    DRAWN,
    HISTORY,
    IPO,
    OFFLINE,
    ONLINE,
    PROBABILITY,
    SPPO,
    Play,
    bound,
)
from boldly.lab.experiments.measures import late
from boldly.lab.experiments.outcome import Curve, Finding, Grid, Plot, Score
from boldly.lab.experiments.summary import band, estimate, figure, mean, slope
from boldly.lab.problems import Game
from boldly.lab.quantities import exploitability, nash, regularised_exploitability

NEAR, FAR = 0.1, 0.5
"""Iterates have come to an equilibrium at a tenth of what the first policy is exploited by; with half they have not."""

RATE = -0.4
"""The exponent of T that counts as about -1/2 or faster."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """Rock, paper, scissors: the plays of the longest horizon, and SPPO's of every one from scattered starts."""

    game: Game
    plays: Mapping[str, Play]
    scattered: Game
    by_span: Mapping[tuple[int, str], Play]
    rounds: int

    def circling(self) -> Finding:
        first = float(exploitability(self.game, self.game.log_reference))
        last, average = self._late(SPPO), self._average(SPPO)
        promised = float(bound(self.game, self.rounds))
        return Finding(
            id="circle",
            title="Round and round",
            claim="On rock, paper, scissors SPPO's iterates circle while their average comes to the equilibrium (arXiv "
            "2405.00675 proves it of the average alone): over the last quarter the iterates are "
            f"exploited by at least half of the first policy's {figure(first)}, the average by no more than is proven "
            f"of steps without noise, {figure(promised)}.",
            verdict=f"With {PROBABILITY} the iterates were exploited by {estimate(last)} and the average, after "
            f"{self.rounds} rounds, by {estimate(average)}; with drawn labels by {estimate(self._late(DRAWN))} and "
            f"{estimate(self._average(DRAWN))}.",
            holds=last.low >= FAR * first and average.value <= promised,
            plots=[
                self._plot("iterate", "The iterates", "A line that does not fall is a method that does not arrive."),
                self._plot("average", "The average of the iterates", "The lower the better; 0 is the equilibrium."),
            ],
            tables=[self._table()],
        )

    def history(self) -> Finding:
        return Finding(
            id="history",
            title="Self-play from all labels",
            claim="What is measured: SPPO when it learns from the labels of every round, as methods with a fixed "
            "reference do online. Older pairs were drawn by older policies, so each response is worth what it wins "
            "against the past and not against the present policy.",
            verdict=f"The average was exploited by {estimate(self._average(HISTORY))} with all labels and by "
            f"{estimate(self._average(SPPO))} with the newest, the iterates by {estimate(self._late(HISTORY))} and "
            f"{estimate(self._late(SPPO))}.",
            holds=None,
        )

    def rate(self) -> Finding:
        spans = sorted({span for span, _ in self.by_span})
        promised = [float(bound(self.scattered, span).mean()) for span in spans]
        found = {
            name: [mean(name, f"exploitability of the average, T = {span}", self._ended(span, name)) for span in spans]
            for name in (SPPO, DRAWN)
        }
        slopes = {
            name: slope([math.log(span) for span in spans], [math.log(score.value) for score in scores])
            for name, scores in found.items()
        }
        told = [f"{each.value:.2f} [{each.low:.2f}, {each.high:.2f}] ({name})" for name, each in slopes.items()]
        return Finding(
            id="rate",
            title="How fast the average gets there",
            claim="The average's exploitability falls as T^(-1/2) or faster when eta = sqrt(8 log n / T) (of "
            f"multiplicative weights, Freund and Schapire 1999): the exponent is at most {RATE:g}, with {PROBABILITY}.",
            verdict=f"Exponents of T: {'; '.join(told)}. At T = {self.rounds} the average was exploited by "
            f"{estimate(found[SPPO][-1])}, and the bound for exact steps is {figure(promised[-1])}.",
            holds=slopes[SPPO].value <= RATE,
            plots=[
                Plot(
                    id="rate",
                    title="The average after T rounds, each T with an eta of its own",
                    reading="Means over runs with their 95% intervals; what is proven for steps without noise is drawn "
                    "beside them. A straight line is a power of T.",
                    x_title="rounds T",
                    y_title="exploitability, probability",
                    curves=[
                        *(
                            Curve(
                                name,
                                spans,
                                [score.value for score in scores],
                                [max(score.low, score.value / 10) for score in scores],
                                [score.high for score in scores],
                            )
                            for name, scores in found.items()
                        ),
                        Curve("bound", spans, promised),
                    ],
                    log_x=True,
                    log_y=True,
                )
            ],
        )

    def regularised(self) -> Finding:
        first = float(regularised_exploitability(self.game, self.game.log_reference))
        found = {name: mean(name, "regularised, late", late(each.trace, "aimed")) for name, each in self.plays.items()}
        online = found[ONLINE]
        return Finding(
            id="regularised",
            title="The regularised game has a last iterate",
            claim="Online IPO, both answers the policy's and the reference fixed, comes to the equilibrium of the "
            "KL-regularised game with its iterates (arXiv 2403.08635): over the last quarter they are exploited there "
            f"by at most a tenth of the first policy's {figure(first)} reward.",
            verdict=f"Online IPO's iterates were exploited by {estimate(online)} in the regularised game; SPPO's, "
            f"which do not aim at it, by {estimate(found[SPPO])}, and IPO's fit to the reference's pairs by "
            f"{estimate(mean(IPO, 'regularised', self.plays[IPO].trace['aimed'][:, -1]))}.",
            holds=online.high <= NEAR * first,
            plots=[
                Plot(
                    id="regularised",
                    title="Iterates in the regularised game",
                    reading="What the best answer gains, with a price of beta on every nat from the reference. Medians "
                    "over runs, bands from the 10% to the 90% quantile.",
                    x_title="rounds",
                    y_title="regularised exploitability, reward",
                    curves=[
                        band(name, self._rounds(each), each.trace["aimed"])
                        for name, each in self.plays.items()
                        if name not in OFFLINE
                    ],
                )
            ],
        )

    def scores(self) -> list[Score]:
        where = "rock, paper, scissors"
        return [
            score
            for name, each in self.plays.items()
            for score in (
                mean(name, f"exploitability of the average, {where}", exploitability(self.game, each.average)),
                mean(name, f"exploitability of the late iterates, {where}", self._late_of(name)),
            )
        ]

    def _ended(self, span: int, name: str) -> Tensor:
        return self.by_span[span, name].trace["average"][:, -1]

    def _rounds(self, play: Play) -> list[float]:
        """The round of each measurement: every one buys as many labels."""
        labels = play.trace.labels
        return [self.rounds * bought / labels[-1] for bought in labels]

    def _late_of(self, name: str) -> Tensor:
        trace = self.plays[name].trace
        return trace["iterate"][:, -1] if name in OFFLINE else late(trace, "iterate")

    def _late(self, name: str) -> Score:
        return mean(name, "late iterates", self._late_of(name))

    def _average(self, name: str) -> Score:
        return mean(name, "average", exploitability(self.game, self.plays[name].average))

    def _away(self, name: str) -> Score:
        """The total variation between the average and the equilibrium of the linear programme."""
        apart = (self.plays[name].average.exp() - nash(self.game.preference)).abs().sum(-1)[:, 0] / 2
        return mean(name, "total variation", apart)

    def _plot(self, measure: str, title: str, reading: str) -> Plot:
        return Plot(
            id=measure,
            title=title,
            reading=f"{reading} Medians over runs, bands from the 10% to the 90% quantile.",
            x_title="rounds",
            y_title="exploitability, probability",
            curves=[
                band(name, self._rounds(each), each.trace[measure])
                for name, each in self.plays.items()
                if name not in OFFLINE
            ],
            log_y=measure == "average",
        )

    def _table(self) -> Grid:
        return Grid(
            "Exploitability on rock, paper, scissors (means over runs)",
            ("method", "iterates, last quarter", "their average", "the average's distance from the equilibrium"),
            [
                (
                    name,
                    estimate(self._late(name)),
                    "a single fit" if name in OFFLINE else estimate(self._average(name)),
                    estimate(self._away(name)),
                )
                for name in self.plays
            ],
        )

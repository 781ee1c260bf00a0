"""What is claimed of self-play and of fits to a fixed reference, and what came of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from boldly.lab.experiments.games.setting import (
    DPO,
    DRAWN,
    HISTORY,
    IPO,
    OFFLINE,
    ONLINE,
    PROBABILITY,
    REBEL,
    SPPO,
    SUPPORT,
    Kinds,
    Play,
    bound,
    favourites,
)
from boldly.lab.experiments.measures import late
from boldly.lab.experiments.outcome import Curve, Finding, Grid, Plot, Score
from boldly.lab.experiments.summary import band, estimate, figure, mean, median, percent, share, slope
from boldly.lab.problems import Game, LinearDueling
from boldly.lab.quantities import exploitability, nash, regularised_exploitability

NEAR, FAR = 0.1, 0.5
"""Iterates have come to an equilibrium at a tenth of what the first policy is exploited by; with half they have not."""

RATE = -0.4
"""The exponent of T that counts as about -1/2 or faster."""

OFTEN = 0.9
"""A method's favourite is a winner if it is in at least so many of the games."""

CONCENTRATED = 0.9
"""The mass of an arm on which a policy has concentrated."""


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


@dataclass(frozen=True, slots=True)
class Various:
    """Random games of three kinds."""

    kinds: Kinds
    plays: Mapping[str, Play]
    rounds: int

    def condorcet(self) -> Finding:
        has = ~self.kinds.without
        right = share(SPPO, "favourite is Condorcet's", self._is(SPPO)[0][has])
        mass = median(SPPO, "mass of the Condorcet winner", self._mass(SPPO)[has])
        return Finding(
            id="condorcet",
            title="A Condorcet winner",
            claim="Where one arm beats every other, SPPO concentrates on it: it is the favourite in at least "
            f"{OFTEN:.0%} of games, and the last iterate's median mass on it is at least {CONCENTRATED:g}.",
            verdict=f"It was the favourite in {percent(right)} of games, with a median mass of {estimate(mass)}; with "
            f"drawn labels in {percent(share(DRAWN, '', self._is(DRAWN)[0][has]))}.",
            holds=right.value >= OFTEN and mass.value >= CONCENTRATED,
            tables=[self._table("Games with a Condorcet winner that is Borda's too", self.kinds.easy)],
        )

    def mixture(self) -> Finding:
        scores = {name: self._exploited(name, self.kinds.without) for name in self.plays}
        promised = float(bound(self.kinds.game, self.rounds)[0])
        return Finding(
            id="mixture",
            title="No Condorcet winner",
            claim="Where every arm is beaten by another, SPPO's average comes to the von Neumann winner, a mixture: it "
            f"is exploited by no more than is proven of steps without noise, {figure(promised)}, and less than DPO's "
            "and IPO's fits are.",
            verdict=f"SPPO's average was exploited by {estimate(scores[SPPO])}, with drawn labels by "
            f"{estimate(scores[DRAWN])}; DPO's fit by {estimate(scores[DPO])} and IPO's by {estimate(scores[IPO])}.",
            holds=scores[SPPO].value <= promised and scores[SPPO].high < min(scores[DPO].low, scores[IPO].low),
            tables=[self._table("Games without a Condorcet winner", self.kinds.without)],
        )

    def fixed(self) -> Finding:
        parted = self.kinds.parted
        every = torch.ones_like(parted)
        borda = {name: share(name, "favourite is Borda's", self._is(name)[2][every]) for name in OFFLINE}
        missed = {name: share(name, "favourite is Condorcet's", self._is(name)[0][parted]) for name in (*OFFLINE, SPPO)}
        return Finding(
            id="borda",
            title="A fixed reference asks for Borda's winner",
            claim="DPO and IPO, fitted to pairs of a uniform reference, favour the arm with the best mean win rate "
            "(for IPO, arXiv 2310.12036: the optimum is pi_ref exp(P(y beats pi_ref) / tau)), in at least "
            f"{OFTEN:.0%} of games, and so miss a Condorcet winner that is not that arm.",
            verdict=f"Borda's winner was the favourite of DPO in {percent(borda[DPO])} and of IPO in "
            f"{percent(borda[IPO])} of all games. Where the two differ, Condorcet's was the favourite of DPO in "
            f"{percent(missed[DPO])}, of IPO in {percent(missed[IPO])} and of SPPO in {percent(missed[SPPO])}.",
            holds=all(score.value >= OFTEN for score in borda.values())
            and all(missed[name].value <= 1 - OFTEN for name in OFFLINE),
            tables=[self._table("Games in which Condorcet's winner is not Borda's", parted)],
        )

    def scores(self) -> list[Score]:
        has = ~self.kinds.without
        return [
            score
            for name in self.plays
            for score in (
                share(name, "favourite is the Condorcet winner where there is one", self._is(name)[0][has]),
                share(name, "favourite is Borda's winner", self._is(name)[2]),
                self._exploited(name, self.kinds.without),
            )
        ]

    def _is(self, name: str) -> list[Bool[Tensor, " games"]]:
        """Whether the favourite is Condorcet's, Copeland's, Borda's winner, and a part of von Neumann's."""
        won = self.kinds.winners
        masks = [won.condorcet, won.copeland, won.borda, won.von_neumann >= SUPPORT]
        return favourites({name: self.plays[name]}, masks)[name]

    def _mass(self, name: str) -> Tensor:
        """The last iterate's mass on the Condorcet winner."""
        return (self.plays[name].trace.policy[:, 0].exp() * self.kinds.winners.condorcet).sum(-1)

    def _exploited(self, name: str, kind: Bool[Tensor, " games"]) -> Score:
        values = exploitability(self.kinds.game, self.plays[name].average)
        return mean(name, "exploitability of the average, no Condorcet winner", values[kind])

    def _table(self, title: str, kind: Bool[Tensor, " games"]) -> Grid:
        rows = []
        for name in self.plays:
            shares = [percent(share(name, "", is_winner[kind])) for is_winner in self._is(name)]
            rows.append((name, *shares, estimate(self._exploited(name, kind))))
        columns = (
            "method: its favourite wins by",
            "Condorcet",
            "Copeland",
            "Borda",
            "von Neumann (a part)",
            "exploitability of the average",
        )
        return Grid(title, columns, rows)


@dataclass(frozen=True, slots=True)
class Utilities:
    """Linear dueling bandits."""

    arms: LinearDueling
    plays: Mapping[str, Play]

    def agreement(self) -> Finding:
        found = self.scores()
        least = min((score for score in found if score.method in (REBEL, SPPO, DPO, IPO)), key=lambda each: each.value)
        return Finding(
            id="agreement",
            title="With a reward, all agree",
            claim="Where a reward explains the preferences (Bradley and Terry), every winner is the arm of the best "
            "utility: SPPO, DPO and IPO, which see labels, favour the same arm as REBEL, which sees the utility, in at "
            f"least {OFTEN:.0%} of bandits each.",
            verdict=f"The best arm was the favourite in {', '.join(f'{percent(s)} ({s.method})' for s in found)}.",
            holds=least.value >= OFTEN,
            tables=[
                Grid(
                    "Linear dueling bandits",
                    ("method", "favourite is the best arm", "exploitability of the average"),
                    [
                        (
                            score.method,
                            percent(score),
                            estimate(mean(score.method, "", self._exploited(score.method))),
                        )
                        for score in found
                    ],
                )
            ],
        )

    def scores(self) -> list[Score]:
        """How often each method's favourite is the arm of the best utility."""
        utility = self.arms.utility[:, 0]
        best = utility >= utility.amax(-1, keepdim=True)
        found = favourites(self.plays, [best])
        return [share(name, "favourite is the arm of the best utility", right) for name, (right,) in found.items()]

    def _exploited(self, name: str) -> Tensor:
        return exploitability(self.arms.dueling(), self.plays[name].average)

"""What is claimed of random games and of linear dueling bandits, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from boldly.lab.experiments.games.setting import (
    DPO,
    DRAWN,
    IPO,
    OFFLINE,
    REBEL,
    SPPO,
    SUPPORT,
    Kinds,
    Play,
    bound,
    favourites,
)
from boldly.lab.experiments.outcome import Finding, Grid, Score
from boldly.lab.experiments.summary import estimate, figure, mean, median, percent, share
from boldly.lab.problems import LinearDueling
from boldly.lab.quantities import exploitability

OFTEN = 0.9
"""A method's favourite is a winner if it is in at least so many of the games."""

CONCENTRATED = 0.9
"""The mass of an arm on which a policy has concentrated."""


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

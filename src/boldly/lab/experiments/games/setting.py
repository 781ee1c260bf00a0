"""The games, the methods, and what is measured of their iterates and of the average of these."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from boldly.lab.classes import BoundedTable
from boldly.lab.experiments.outcome import Watch
from boldly.lab.feedback import Feedback, matrix
from boldly.lab.learners import Natural, Newest, Solve
from boldly.lab.method import Method, objective
from boldly.lab.problems import Bandit, Dueling, Game, LinearDueling, cyclic_game, random_game, random_linear_dueling
from boldly.lab.quantities import (
    Winners,
    borda,
    condorcet,
    exploitability,
    regularised_exploitability,
    winners,
)
from boldly.lab.repetitions import Turn
from boldly.lab.trace import Measure, Trace, run

ARMS = 5
FEATURES = 3
STEEPNESS = 6.0
"""The length of the linear utilities' weights, in log-odds."""

STRENGTH = 0.6
"""Rock beats scissors with probability (1 + `STRENGTH`) / 2. With 1, drawn labels would be the probabilities."""

START = (0.6, 0.3, 0.1)
"""The reference on rock-paper-scissors; the equilibrium itself would be no test."""

BOUND = 10.0
"""The greatest |log pi / pi_ref| of the class that DPO and IPO are fitted in, times beta: beyond any argmin here."""

DAMPING = 1e-3
"""A probability: the steps of arms well above it are those of multiplicative weights in expectation."""

MEASURED = 90
"""About how often a run is measured."""

SUPPORT = 1e-3
"""A von Neumann winner's mass from which on an arm belongs to it."""

SPPO, DRAWN, HISTORY = "SPPO", "SPPO, drawn labels", "SPPO, all labels"
ONLINE, DPO, IPO, REBEL = "online IPO", "DPO", "IPO", "REBEL"
OFFLINE = (DPO, IPO)
"""Fitted once, to pairs that the reference drew: their last iterate is all there is."""

PROBABILITY = "labels as probabilities"


class Average:
    """The even mixture of the base and all iterates so far: the `notice` of one run."""

    def __init__(self, problem: Bandit, repetitions: int) -> None:
        shape = (repetitions, problem.prompts, problem.responses)
        self._sum: Tensor = problem.log_reference.exp().expand(shape)
        self._count = 1

    def __call__(self, turn: Turn) -> None:
        self._sum, self._count = self._sum + turn.policy.exp(), self._count + 1

    @property
    def log_pi(self) -> Float[Tensor, "repetitions prompts responses"]:
        return (self._sum / self._count).log()


@dataclass(frozen=True, slots=True)
class Play:
    """How a run went: `iterate` and `average` by their exploitability, `aimed` by the iterate's regularised one."""

    trace: Trace
    average: Float[Tensor, "repetitions prompts responses"]


def rate(rounds: int, arms: int) -> float:
    """eta = sqrt(8 log n / T), for which multiplicative weights' bound is least (Freund and Schapire, 1999)."""
    return math.sqrt(8 * math.log(arms) / rounds)


def bound(game: Game, rounds: int) -> Float[Tensor, "*instances"]:
    """log(1 / min pi_0) / (eta T) + eta / 8: what multiplicative weights' average is exploited by at most."""
    eta = rate(rounds, game.preference.shape[-1])
    return -game.log_reference.amin((-1, -2)) / (eta * rounds) + eta / 8


def sppo(name: str, rounds: int, arms: int) -> Method:
    """Self-play: one natural step a round, the expectation of which is pi_t exp(eta P(y beats pi_t)) / Z."""
    fit = Natural(0.5, steps=1, damping=DAMPING)
    learner = fit if name == HISTORY else Newest(fit)
    return Method(name, objective("sppo", eta=rate(rounds, arms)), learner, second="policy", reference="previous")


def rebel(rounds: int, arms: int) -> Method:
    """The same steps by the reward in place of the labels: in expectation pi_t exp(eta r) / Z."""
    learner = Newest(Natural(0.25, steps=1, damping=DAMPING))
    return Method(REBEL, objective("rebel", eta=rate(rounds, arms)), learner, second="policy", reference="previous")


def online_ipo(beta: float) -> Method:
    """IPO on pairs that the policy draws: a twentieth of the way to pi_ref exp(P(y beats pi_t) / beta) a round."""
    return Method(ONLINE, objective("ipo", tau=beta), Newest(Natural(0.0125, steps=1)), second="policy")


def offline(beta: float) -> list[Method]:
    """DPO and IPO, by their exact argmin."""
    learner = Solve(BoundedTable(BOUND / beta), tolerance=1e-5)
    return [Method(DPO, objective("dpo", beta=beta), learner), Method(IPO, objective("ipo", tau=beta), learner)]


def rock_paper_scissors(beta: float) -> Game:
    """Each of three arms beats another, from a reference that has a favourite."""
    return cyclic_game(3, beta=beta, strength=STRENGTH, reference=torch.tensor(START, dtype=torch.float64))


def scattered(game: Game, seeds: int) -> Game:
    """The same game for every seed, each from a reference with standard normal logits."""
    log_reference = random_game(game.preference.shape[-1], beta=game.beta, seeds=seeds).log_reference
    return replace(game, preference=game.preference.expand(seeds, -1, -1, -1), log_reference=log_reference)


@dataclass(frozen=True, slots=True)
class Kinds:
    """Random games, as many of each kind, one after the other; the masks say which are which."""

    game: Game
    winners: Winners
    easy: Bool[Tensor, " games"]
    parted: Bool[Tensor, " games"]
    without: Bool[Tensor, " games"]


def random_games(each: int, beta: float) -> Kinds:
    """The first `each` games whose Condorcet winner is Borda's too, in which they differ, and which have no Condorcet.

    Every pair's preference is U[0, 1] and the reference is uniform.
    """
    drawn = 64 * each
    while True:
        game = random_game(ARMS, beta=beta, seeds=drawn)
        beats_all = condorcet(game.preference[:, 0])
        has, same = beats_all.any(-1), (beats_all & borda(game.preference[:, 0])).any(-1)
        kinds = [torch.nonzero(kind).flatten()[:each] for kind in (same, has & ~same, ~has)]
        if all(len(kind) == each for kind in kinds):
            break
        drawn *= 2
    taken = torch.cat(kinds)
    uniform = torch.zeros_like(game.log_reference[taken]).log_softmax(-1)
    part = torch.arange(3).repeat_interleave(each)
    chosen = replace(game, preference=game.preference[taken], log_reference=uniform)
    return Kinds(chosen, winners(chosen.preference[:, 0]), part == 0, part == 1, part == 2)


def linear_arms(seeds: int) -> LinearDueling:
    """A linear dueling bandit for each seed."""
    return random_linear_dueling(ARMS, FEATURES, scale=STEEPNESS, seeds=seeds)


def play(
    problem: Bandit,
    rules: Game | Dueling,
    method: Method,
    *,
    rounds: int,
    seeds: int,
    per_round: int,
    watch: Watch,
) -> Play:
    """Run `method` on `problem` with labels by the preferences of `rules`.

    Labels are probabilities, but drawn for `DRAWN`. The `OFFLINE` buy all of theirs in one round, from the reference.
    """
    once = method.name in OFFLINE
    average = Average(problem, seeds)
    measures: dict[str, Measure] = {
        "iterate": lambda policy: exploitability(rules, policy),
        "average": lambda policy: exploitability(rules, average.log_pi),
    }
    if isinstance(rules, Game):
        measures["aimed"] = lambda policy: regularised_exploitability(rules, policy)
    trace = run(
        problem,
        method,
        Feedback(matrix(rules.preference[..., 0, :, :]), draw=method.name == DRAWN),
        rounds=1 if once else rounds,
        seeds=range(seeds),
        labels_per_round=rounds * per_round if once else per_round,
        measures=measures,
        every=max(1, rounds // MEASURED),
        notice=average,
        watch=watch,
    )
    return Play(trace, trace.policy if once else average.log_pi)


def favourites(
    plays: Mapping[str, Play], masks: Sequence[Bool[Tensor, "games responses"]]
) -> dict[str, list[Bool[Tensor, " games"]]]:
    """Whether each method's favourite, the arm with most of its average's mass, is in each of the masks."""
    chosen = {name: each.average[:, 0].argmax(-1)[:, None] for name, each in plays.items()}
    return {name: [mask.gather(-1, arm)[:, 0] for mask in masks] for name, arm in chosen.items()}

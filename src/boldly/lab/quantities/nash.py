"""Equilibria of preference games, and how far a policy is from one."""

import numpy
import torch
from jaxtyping import Float
from scipy.optimize import linprog
from torch import Tensor

from boldly.errors import BoldlyError
from boldly.lab.problems.dueling import Dueling
from boldly.lab.problems.game import Game
from boldly.lab.quantities.alignment import beside
from boldly.lab.quantities.value import kl

TOLERANCE = 1e-9
"""How far, in nats, the log-probabilities of a regularised equilibrium may be from the best response to it."""

LINEAR_TOLERANCE = 1e-10
"""How far an equilibrium of the plain game may break a constraint of its linear programme, a probability."""

NEWTON_STEPS = 50
"""At most so many for one beta; the path to it has a factor of `COOLING` between one beta and the next."""

COOLING = 0.5

HALVINGS = 40
"""A step that still does not help then is one of rounding."""


def nash(preference: Float[Tensor, "*games responses responses"]) -> Float[Tensor, "*games responses"]:
    """The probabilities of an equilibrium of the plain game, the von Neumann winner, by linear programme.

        max_{p, v} v   subject to   sum_y p(y) P(y beats y') >= v for every y',  p a law

    No response beats it with more than probability 1/2, to `LINEAR_TOLERANCE` (Dudik et al., "Contextual dueling
    bandits", 2015). It is the Condorcet winner where there is one; of several equilibria it is one.
    """
    games = preference.reshape(-1, *preference.shape[-2:])
    return torch.stack([_equilibrium(game) for game in games]).reshape(preference.shape[:-1])


def _equilibrium(preference: Float[Tensor, "responses responses"]) -> Float[Tensor, " responses"]:
    n = preference.shape[-1]
    beaten = preference.mT.numpy()
    solution = linprog(
        numpy.r_[numpy.zeros(n), -1.0],
        A_ub=numpy.c_[-beaten, numpy.ones(n)],
        b_ub=numpy.zeros(n),
        A_eq=numpy.r_[numpy.ones(n), 0.0][None],
        b_eq=numpy.ones(1),
        bounds=[(0, 1)] * (n + 1),
        options={"primal_feasibility_tolerance": LINEAR_TOLERANCE, "dual_feasibility_tolerance": LINEAR_TOLERANCE},
    )
    if solution.status != 0:
        raise BoldlyError(f"the linear programme of a game with {n} responses was not solved: {solution.message}")
    law = torch.as_tensor(solution.x[:n], dtype=torch.float64).clamp(min=0)
    return law / law.sum()


def regularised_nash(game: Game) -> Float[Tensor, "*instances prompts responses"]:
    """log pi of the one equilibrium of the KL-regularised game, in nats, to `TOLERANCE`.

        pi(y | x) = pi_ref(y | x) exp(P(y beats pi | x) / beta) / Z(x)

    Munos et al. (arXiv 2312.00886). Newton's method on the log-probabilities, with beta lowered step by step: P - 1/2
    is antisymmetric, so the Jacobian I - (P - 1/2)(diag(pi) - pi pi^T) / beta has eigenvalues 1 + i w and is never
    singular, and each step lowers the residual also where simple iteration circles.

    Raises `BoldlyError` where the tolerance is not reached.
    """
    log_pi, beta = game.log_reference, max(game.beta, 1.0)
    while True:
        log_pi = _newton(game, log_pi, beta)
        away = float((log_pi - _response(game, log_pi, beta)).abs().max())
        if not away <= TOLERANCE:
            raise BoldlyError(
                f"the equilibrium for beta={beta!r}, on the way to {game.beta!r}, was found to {away:.1e} nats and "
                f"not to {TOLERANCE:.0e}: take a larger beta, or the plain equilibrium, `nash(game.preference)`."
            )
        if beta == game.beta:
            return log_pi
        beta = max(game.beta, COOLING * beta)


def best_response(game: Game, log_pi: Float[Tensor, "*policies prompts responses"]) -> Float[Tensor, "..."]:
    """log of the policy that does best against `log_pi`, pi_ref exp(P(. beats pi) / beta) / Z, in nats.

    Leading dimensions are the game's instances, if it has any, and then others.
    """
    return _response(game, log_pi, game.beta)


def _response(game: Game, log_pi: Tensor, beta: float) -> Tensor:
    win = _win_rate(game, log_pi)
    return (beside(game.log_reference, log_pi, 2) + win / beta).log_softmax(-1)


def _win_rate(game: Game | Dueling, log_pi: Tensor) -> Tensor:
    """P(y beats pi) of every response."""
    return (beside(game.preference, log_pi, 3) @ log_pi.exp()[..., None])[..., 0]


def _newton(game: Game, log_pi: Tensor, beta: float) -> Tensor:
    edge = game.preference - 0.5
    identity = torch.eye(game.preference.shape[-1], dtype=torch.float64)
    for _ in range(NEWTON_STEPS):
        wrong = log_pi - _response(game, log_pi, beta)
        if float(wrong.abs().max()) <= TOLERANCE:
            break
        pi = log_pi.exp()
        spread = torch.diag_embed(pi) - pi[..., :, None] * pi[..., None, :]
        # The response is normalised, which takes the mean under it out of every column.
        response = (log_pi - wrong).exp()
        slope = edge @ spread / beta
        slope = slope - (response[..., None, :] @ slope)
        step = torch.linalg.solve(identity - slope, wrong)
        log_pi = _shortened(game, log_pi, step, wrong, beta)
    return log_pi


def _shortened(game: Game, log_pi: Tensor, step: Tensor, wrong: Tensor, beta: float) -> Tensor:
    """Each instance's step, halved until the residual has fallen."""
    size = torch.ones_like(step[..., :1])
    before = wrong.norm(dim=-1, keepdim=True)
    for _ in range(HALVINGS):
        tried = (log_pi - size * step).log_softmax(-1)
        after = (tried - _response(game, tried, beta)).norm(dim=-1, keepdim=True)
        rose = after > before * (1 - 1e-4 * size)
        if not bool(rose.any()):
            break
        size = torch.where(rose, size / 2, size)
    return (log_pi - size * step).log_softmax(-1)


def exploitability(
    problem: Game | Dueling, log_pi: Float[Tensor, "*policies prompts responses"]
) -> Float[Tensor, "..."]:
    """How much more than 1/2 the best answer to a policy wins, max_y P(y beats pi) - 1/2, averaged over prompts.

    Zero at an equilibrium and only there; the duality gap of the symmetric game is twice as much. A probability.
    Leading dimensions are the problem's instances, if it has any, and then others.
    """
    return (problem.prompt_law * (_win_rate(problem, log_pi).amax(-1) - 0.5)).sum(-1)


def regularised_exploitability(
    game: Game, log_pi: Float[Tensor, "*policies prompts responses"]
) -> Float[Tensor, "..."]:
    """What the best answer to a policy gains on it in the KL-regularised game, averaged over prompts.

        max_pi' [P(pi' beats pi) - beta KL(pi' || pi_ref)] - [1/2 - beta KL(pi || pi_ref)] = beta KL(pi || BR(pi))

    BR(pi) is `best_response`. Zero at `regularised_nash` and only there. Leading dimensions as in `exploitability`.
    """
    return game.beta * kl(log_pi, best_response(game, log_pi), game.prompt_law)

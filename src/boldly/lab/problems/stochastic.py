"""The tree with random transitions: what follows a token is drawn, so not every law over trajectories is a policy's."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.problems.bandit import Bandit
from boldly.lab.problems.checks import (
    require_count,
    require_finite,
    require_law,
    require_log_law,
    require_positive,
    require_shape,
)
from boldly.randomness import derive


@dataclass(frozen=True, slots=True)
class Trajectories:
    """Every state-action sequence that can happen: the state before each step and the token of it."""

    states: Int[Tensor, "trajectories steps"]
    tokens: Int[Tensor, "trajectories steps"]


@dataclass(frozen=True, slots=True)
class StochasticTree:
    """H steps from state 0; token a in state s leads to s' with probability P(s' | s, a).

        J_beta(pi) = E_{tau ~ pi, P} sum_h [ r_h(s_h, a_h) - beta log pi_h(a_h | s_h) / pi_ref,h(a_h | s_h) ]

    It is outside the deterministic contextual MDP that XPO assumes (arXiv 2405.21046). `dynamics` is P and
    may have zeros. One prompt; rewards, nats and `beta` as in `Bandit`.

    Raises `InvalidInput` for what is not finite, a law that does not sum to 1, shapes that do not fit and a beta that
    is not above 0.
    """

    log_reference: Float[Tensor, "*instances steps states tokens"]
    reward: Float[Tensor, "*instances steps states tokens"]
    dynamics: Float[Tensor, "*instances states tokens states"]
    beta: float

    def __post_init__(self) -> None:
        require_positive("beta", self.beta, "beta=0.1")
        require_log_law("log_reference", self.log_reference)
        require_finite("reward", self.reward)
        shape = tuple(self.log_reference.shape)
        require_shape("reward", self.reward, shape, "it has an entry for each one of log_reference")
        require_shape("dynamics", self.dynamics, (*shape[:-3], *shape[-2:], shape[-2]), "it is P(s' | s, a)")
        require_law("dynamics", self.dynamics)

    @property
    def steps(self) -> int:
        return self.log_reference.shape[-3]

    @property
    def states(self) -> int:
        return self.log_reference.shape[-2]

    @property
    def tokens(self) -> int:
        return self.log_reference.shape[-1]

    def trajectories(self) -> Trajectories:
        """State-action sequences with a positive probability in some instance; the last step's next state is none.

        There are up to A^H S^(H-1) of them: enumerate small trees only.
        """
        possible = (self.dynamics > 0).reshape(-1, *self.dynamics.shape[-3:]).any(0)
        states = torch.zeros(1, 1, dtype=torch.long)
        tokens = torch.zeros(1, 0, dtype=torch.long)
        for step in range(self.steps):
            token = torch.arange(self.tokens).repeat(len(states))
            states = states.repeat_interleave(self.tokens, 0)
            tokens = torch.cat([tokens.repeat_interleave(self.tokens, 0), token[:, None]], 1)
            if step + 1 < self.steps:
                row, following = possible[states[:, -1], token].nonzero(as_tuple=True)
                states, tokens = torch.cat([states[row], following[:, None]], 1), tokens[row]
        return Trajectories(states, tokens)

    def along(
        self, values: Float[Tensor, "*policies steps states tokens"]
    ) -> Float[Tensor, "*policies 1 trajectories"]:
        """The sum of a quantity of each step, state and token along every one of the `trajectories`, in order."""
        paths = self.trajectories()
        picked = values[..., torch.arange(self.steps), paths.states, paths.tokens]
        return picked.sum(-1)[..., None, :]

    def law(
        self, log_policy: Float[Tensor, "*policies steps states tokens"]
    ) -> Float[Tensor, "*policies 1 trajectories"]:
        """log P(tau) under a policy: log pi of the tokens plus log P of the states, in nats.

        Leading dimensions are the instances, if there are any, and then others. Dynamics cancel in a log-ratio of two
        policies, so what a pairwise objective sees is exactly what it would see without knowing them.
        """
        return self.along(log_policy) + self._log_dynamics(log_policy.dim() - self.log_reference.dim())

    def _log_dynamics(self, between: int) -> Float[Tensor, "... 1 trajectories"]:
        """log of the probability of each trajectory's states given its tokens, with room for `between` dimensions."""
        paths = self.trajectories()
        moves = self.dynamics.log()[..., paths.states[:, :-1], paths.tokens[:, :-1], paths.states[:, 1:]]
        total = moves.sum(-1)
        return total.reshape(*total.shape[:-1], *(1,) * between, 1, -1)

    def bandit(self) -> Bandit:
        """The bandit whose responses are the trajectories: it lets a policy choose the states too.

        Its softmax tilt pi_ref(tau) exp(r(tau) / beta) / Z is what a deterministic analysis aims at, and no policy
        reaches it: it also tilts the dynamics. The value of a law made by `law` is J_beta of its policy, since the
        dynamics cancel in the KL.

        Raises `InvalidInput` where a trajectory is possible in one instance and not in another.
        """
        log_reference = self.law(self.log_reference)
        if not bool(torch.isfinite(log_reference).all()):
            raise InvalidInput(
                "dynamics has zeros in other places for one instance than for another, so their trajectories can't be "
                "numbered alike: give the transitions a small mass, say 1e-6, or make a tree of each instance."
            )
        length = torch.full((log_reference.shape[-1],), self.steps, dtype=torch.float64)
        one = torch.ones(1, dtype=torch.float64)
        return Bandit(log_reference, self.along(self.reward), self.beta, prompt_law=one, length=length)


def random_stochastic_tree(
    states: int, tokens: int, steps: int, *, noise: float, beta: float, seeds: int = 1
) -> StochasticTree:
    """A tree for each seed 0, 1, ...: standard normal logits of the reference, rewards U[0, 1/H] of each step.

    Token a in state s leads to (s + a + 1) mod S with probability 1 - `noise`, and else to a state drawn by a law that
    is uniform on the simplex and the seed's own; a noise of 0 makes it deterministic. The tree of a seed does not
    depend on how many seeds are asked for, and its rewards, reference and drawn laws not on the noise.

    Raises `InvalidInput` for a count below 1, a noise outside [0, 1] or a beta that is not above 0.
    """
    require_count("states", states, "states=3")
    require_count("tokens", tokens, "tokens=2")
    require_count("steps", steps, "steps=3")
    require_count("seeds", seeds, "seeds=100")
    if not 0 <= noise <= 1:
        raise InvalidInput(f"noise is {noise!r}, but it is a probability from 0 to 1: write `noise=0.3`.")
    generators = [torch.Generator().manual_seed(derive(seed, "random-stochastic-tree")) for seed in range(seeds)]
    shape = (steps, states, tokens)
    logits = torch.stack([torch.randn(shape, generator=each, dtype=torch.float64) for each in generators])
    reward = torch.stack([torch.rand(shape, generator=each, dtype=torch.float64) for each in generators]) / steps
    ends = (states, tokens, states)
    uniform = torch.stack([torch.rand(ends, generator=each, dtype=torch.float64) for each in generators])
    exponential = -torch.log1p(-uniform)
    drawn = exponential / exponential.sum(-1, keepdim=True)
    following = (torch.arange(states)[:, None] + torch.arange(tokens) + 1) % states
    intended = torch.nn.functional.one_hot(following, states).double()
    return StochasticTree(logits.log_softmax(-1), reward, (1 - noise) * intended + noise * drawn, beta)

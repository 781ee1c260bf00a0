"""The token tree: every response is a path of tokens, and what follows a token is certain."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.problems.bandit import Bandit
from boldly.lab.problems.checks import (
    require_count,
    require_finite,
    require_log_law,
    require_positive,
    require_shape,
    require_share,
)
from boldly.randomness import derive


@dataclass(frozen=True, slots=True)
class Tree:
    """A vocabulary of A tokens and H steps; after h tokens the policy stands at one of A^h prefixes.

        J_beta(pi) = E_{tau ~ pi} sum_h [ r(s_h, a_h) - beta log pi(a_h | s_h) / pi_ref(a_h | s_h) ]

    This is the deterministic contextual MDP of XPO (arXiv 2405.21046). `log_reference[h]` is log pi_ref of
    each token after each prefix (nats) and `reward[h]` that token's reward; a reward of the whole response is the last
    step's. Prefixes and trajectories lie in lexicographic order. `prompt_law` and `beta` are as in `Bandit`.

    Raises `InvalidInput` for what is not finite, a law that does not sum to 1, a step with another number of prefixes
    than A^h and a beta that is not above 0.
    """

    log_reference: tuple[Float[Tensor, "*instances prompts _ tokens"], ...]
    reward: tuple[Float[Tensor, "*instances prompts _ tokens"], ...]
    beta: float
    prompt_law: Float[Tensor, " prompts"]

    def __post_init__(self) -> None:
        require_positive("beta", self.beta, "beta=0.1")
        require_count("the number of steps of log_reference", len(self.log_reference), "random_tree(4, 3, beta=0.1)")
        if len(self.reward) != len(self.log_reference):
            raise InvalidInput(
                f"reward has {len(self.reward)} steps and log_reference {len(self.log_reference)}: "
                "give a step without reward as zeros."
            )
        require_log_law("the logarithm of prompt_law", self.prompt_law.log())
        *instances, _, _, tokens = self.log_reference[0].shape
        for h, (log_reference, reward) in enumerate(zip(self.log_reference, self.reward, strict=True)):
            shape = (*instances, len(self.prompt_law), tokens**h, tokens)
            after = f"after {h} of {tokens} tokens there are {tokens**h} prefixes"
            require_shape(f"log_reference[{h}]", log_reference, shape, after)
            require_shape(f"reward[{h}]", reward, shape, after)
            require_log_law(f"log_reference[{h}]", log_reference)
            require_finite(f"reward[{h}]", reward)

    @property
    def tokens(self) -> int:
        return self.log_reference[0].shape[-1]

    @property
    def depth(self) -> int:
        return len(self.log_reference)

    def along(
        self, steps: tuple[Float[Tensor, "*policies prompts _ tokens"], ...]
    ) -> Float[Tensor, "*policies prompts trajectories"]:
        """The sum of a quantity of each step along each of the A^H trajectories: log pi of the responses, say."""
        total = steps[0].new_zeros(()).expand(*steps[0].shape[:-2], 1)
        for step in steps:
            total = (total[..., None] + step).flatten(-2)
        return total

    def bandit(self) -> Bandit:
        """The bandit whose responses are the A^H trajectories."""
        length = torch.full((self.tokens**self.depth,), self.depth, dtype=torch.float64)
        return Bandit(self.along(self.log_reference), self.along(self.reward), self.beta, self.prompt_law, length)


def random_tree(tokens: int, depth: int, *, beta: float, seeds: int = 1, prompts: int = 1) -> Tree:
    """A tree for each seed 0, 1, ...: standard normal logits of the reference and rewards U[0, 1/H] of each step.

    So the reward of a response lies in [0, 1]. The tree of a seed does not depend on how many seeds are asked for.

    Raises `InvalidInput` for a count below 1 or a beta that is not above 0.
    """
    _require_counts(tokens, depth, seeds)
    require_count("prompts", prompts, "prompts=1")
    generators = [torch.Generator().manual_seed(derive(seed, "random-tree")) for seed in range(seeds)]
    shapes = [(prompts, tokens**h, tokens) for h in range(depth)]
    logits = [[torch.randn(shape, generator=each, dtype=torch.float64) for each in generators] for shape in shapes]
    rewards = [[torch.rand(shape, generator=each, dtype=torch.float64) for each in generators] for shape in shapes]
    return Tree(
        tuple(torch.stack(step).log_softmax(-1) for step in logits),
        tuple(torch.stack(step) / depth for step in rewards),
        beta,
        torch.full((prompts,), 1 / prompts, dtype=torch.float64),
    )


def rare_leaf_tree(tokens: int, depth: int, *, mass: float, beta: float, seeds: int = 1) -> Tree:
    """A tree for each seed 0, 1, ...: one leaf of reward 1 to which the reference gives `mass`, the others U[0, 1/2].

    The reference is uniform over tokens but on the path to that leaf, where the right token has mass^(1/H) and the
    others share the rest evenly. The path is drawn by the seed and does not depend on how many seeds are asked for.

    Raises `InvalidInput` for a count below 1, fewer than 2 tokens, a mass outside (0, 1) or a beta that is not above 0.
    """
    _require_counts(tokens, depth, seeds)
    require_count("tokens - 1", tokens - 1, "rare_leaf_tree(2, 3, mass=0.01, beta=0.1)")
    require_share("mass", mass, "mass=0.01")
    right = mass ** (1 / depth)
    rows = torch.arange(seeds)
    generators = [torch.Generator().manual_seed(derive(seed, "rare-leaf")) for seed in range(seeds)]
    leaf = torch.stack([torch.randint(tokens**depth, (), generator=each) for each in generators])
    log_reference: list[Tensor] = []
    for h in range(depth):
        law = torch.full((seeds, 1, tokens**h, tokens), 1 / tokens, dtype=torch.float64)
        prefix, token = leaf // tokens ** (depth - h), leaf // tokens ** (depth - h - 1) % tokens
        law[rows, 0, prefix] = (1 - right) / (tokens - 1)
        law[rows, 0, prefix, token] = right
        log_reference.append(law.log())
    reward = [torch.zeros_like(step) for step in log_reference[:-1]]
    leaves = [torch.rand(tokens**depth, generator=each, dtype=torch.float64) / 2 for each in generators]
    last = torch.stack(leaves)
    last[rows, leaf] = 1.0
    reward.append(last.reshape(log_reference[-1].shape))
    return Tree(tuple(log_reference), tuple(reward), beta, torch.ones(1, dtype=torch.float64))


def _require_counts(tokens: int, depth: int, seeds: int) -> None:
    require_count("tokens", tokens, "tokens=4")
    require_count("depth", depth, "depth=3")
    require_count("seeds", seeds, "seeds=100")

"""Identities along a token tree, solved by backward recursion, and of mixtures of policies."""

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.lab.experiments.identities.neutral import DPO
from boldly.lab.experiments.identities.row import Identity, Sides
from boldly.lab.experiments.identities.sample import BETA, Laws, Sample, Square, averaged, differences, largest, worst
from boldly.lab.problems import Tree, random_tree
from boldly.lab.quantities import bellman_residual, optimum, solve_tree
from boldly.objectives import Pairs

TOKENS, DEPTH = 3, 3
MOMENTUM, ROUNDS = 0.5, 40


def _tree(sample: Sample, depth: int = DEPTH) -> Tree:
    return random_tree(TOKENS, depth, beta=BETA, seeds=sample.seeds)


def _stranger(tree: Tree) -> tuple[Tensor, ...]:
    """A policy that is neither the reference nor the optimum: the reference with its tokens in reverse order."""
    return tuple(step.flip(-1) for step in tree.log_reference)


def _telescoping(sample: Sample) -> Sides:
    tree = _tree(sample)
    best = solve_tree(tree)
    right = tree.along(tree.reward) - best.value[0]

    def error(steps: tuple[Tensor, ...]) -> Float[Tensor, " instances"]:
        ratios = tuple(own - reference for own, reference in zip(steps, tree.log_reference, strict=True))
        return largest(BETA * tree.along(ratios) - right)

    return Sides(error(best.log_policy), error(_stranger(tree)))


def _consistency(sample: Sample) -> Sides:
    """Zero at pi* along the tree, and at horizon 1 the residual of DRO, r - V - beta log pi/pi_ref, at any policy."""
    tree, flat = _tree(sample), _tree(sample, depth=1)
    held = [largest(step) for step in bellman_residual(tree, solve_tree(tree).log_policy)]
    broken = [largest(step) for step in bellman_residual(tree, _stranger(tree))]
    (residual,), (policy,) = bellman_residual(flat, _stranger(flat)), _stranger(flat)
    (reference,), (reward,) = flat.log_reference, flat.reward
    value = BETA * (reference + reward / BETA).logsumexp(-1, keepdim=True)
    dro = reward - value - BETA * (policy - reference)
    return Sides(worst(*held, largest(residual + dro)), worst(*broken))


def _shared_steps(sample: Sample) -> Sides:
    """The margin of two responses that share their first steps is that of the last step alone."""
    tree = _tree(sample, depth=2)
    policy = _stranger(tree)
    whole = [tree.along(steps)[:, 0] for steps in (policy, tree.log_reference)]
    last = [steps[-1][:, 0].flatten(1) for steps in (policy, tree.log_reference)]
    responses = torch.arange(TOKENS**2)
    same = (responses[:, None] // TOKENS == responses // TOKENS).expand(sample.seeds, -1, -1)
    apart = _loss(*whole) - _loss(*last)
    return Sides(largest(apart * same), largest(apart * ~same))


def _loss(policy: Laws, reference: Laws) -> Square:
    """DPO of every pair of responses, the first preferred."""
    shape = differences(policy).shape
    a, b = (
        (law[:, :, None].expand(shape).flatten(), law[:, None, :].expand(shape).flatten())
        for law in (policy, reference)
    )
    ones = torch.ones_like(a[0])
    pairs = Pairs(*a, *b, label=ones, weight=ones, length_a=ones, length_b=ones)
    return DPO(pairs).preference.reshape(shape)


def _momentum(sample: Sample) -> Sides:
    """Each round solved exactly against the last policy, and pushed on by what it changed from the round before."""

    def error(momentum: float, factor: float) -> Float[Tensor, " instances"]:
        last = solved = sample.reference
        step = torch.zeros_like(last)
        for _ in range(ROUNDS):
            before, solved = solved, optimum(sample.bandit(reference=last))[:, 0]
            pushed = averaged(solved, before, -momentum)
            last, step = pushed, pushed - last
        return largest(differences(step) - factor * differences(sample.reward) / BETA)

    held = worst(error(0.0, 1.0), error(MOMENTUM, 1 / (1 - MOMENTUM)))
    return Sides(held, error(MOMENTUM, 1.0))


def _merging(sample: Sample) -> Sides:
    """The average of the log-probabilities of the optima of two rewards."""
    weight = 0.3
    one, other = (optimum(sample.bandit(reward))[:, 0] for reward in (sample.reward, sample.other_reward))
    both = optimum(sample.bandit((1 - weight) * sample.reward + weight * sample.other_reward))[:, 0]
    merged = averaged(one, other, weight)
    masses = ((1 - weight) * one.exp() + weight * other.exp()).log()
    return Sides(largest(merged - both), largest(masses - both))


TREES = (
    Identity(
        "step-dpo",
        "Step-DPO: DPO of the last step",
        "the responses share all steps before it",
        "DPO of the whole responses",
        1e-12,
        "they don't",
        _shared_steps,
    ),
    Identity(
        "oreo",
        "the soft Bellman residual that OREO fits",
        "at pi*; at horizon 1",
        "0; that of DRO, r - V - beta log pi/pi_ref",
        1e-12,
        "another policy than pi*",
        _consistency,
    ),
    Identity(
        "q-star",
        "the sum of beta log pi*/pi_ref along a response",
        "transitions are certain",
        "r - V*(x) (from r to Q*)",
        1e-12,
        "another policy than pi*",
        _telescoping,
    ),
)

MIXTURES = (
    Identity(
        "apo",
        "APO's step in log-ratio, over r / beta",
        "momentum 0 and 0.5, round 40",
        "1 (iterative DPO) and 1 / (1 - momentum)",
        1e-9,
        "momentum 0.5 against 1",
        _momentum,
    ),
    Identity(
        "preference-vector",
        "Preference Vector: optima merged by their logits",
        "a table of logits, weights that sum to 1",
        "the optimum of the weighted reward",
        1e-12,
        "merged by their masses",
        _merging,
    ),
)

"""The experiment and its instance in words."""

from collections.abc import Sequence

from boldly.errors import InvalidInput
from boldly.lab.experiments.actions.moving import vpo_that_is_xpo, who_stays
from boldly.lab.experiments.actions.needles import COMMON, MOST, REWARD, SHARE, Needles, needles
from boldly.lab.experiments.actions.setting import Setting
from boldly.lab.experiments.actions.sweep import sweep
from boldly.lab.experiments.beside import beside
from boldly.lab.experiments.outcome import Finding, Grid, Outcome, Score, Watch, unwatched
from boldly.lab.experiments.summary import estimate, figure, median, part
from boldly.lab.method import Method
from boldly.lab.problems.checks import require_count, require_positive
from boldly.lab.quantities import gap

OWN = (4, 3)
"""The vocabulary and depth of the tree that a caller's methods are run on: elsewhere beta is another."""


def actions(
    *,
    seeds: int = 16,
    vocabularies: tuple[int, ...] = (4, 16, 64, 256),
    depths: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8),
    hypotheses: int = 100,
    labels: int = 350,
    ratio: float = 0.1,
    epsilon: float = 0.1,
    methods: Sequence[Method] = (),
    watch: Watch = unwatched,
) -> Outcome:
    """How do the labels to a good policy grow with vocabulary and depth, and is it coverability that sets them?

    Source: arXiv 2405.21046, Theorem 3.1: T ~ C_cov log|Pi| / epsilon^2. The instance is `needles`, with `vocabularies`
    at depth 1 and `depths` at the smallest vocabulary. `ratio` is alpha / (beta / 2), `epsilon` a gap in units of
    reward, `labels` where a run that has not reached it is given up. `methods` are run on `needles(4, 3)`.

    Raises `InvalidInput` for fewer than three trees, as no line has an interval then, for an `epsilon` that the
    reference is within, a ratio that is not above 0 and labels below 1.
    """
    require_positive("ratio", ratio, "ratio=0.1")
    require_positive("epsilon", epsilon, "epsilon=0.1")
    require_count("labels", labels, "labels=350")
    require_count("seeds", seeds, "seeds=16")
    if not vocabularies or not depths:
        raise InvalidInput("vocabularies or depths is empty: take vocabularies 4, 16, 64 and depths 1, 2, 3, say.")
    sizes = dict.fromkeys([*((each, 1) for each in vocabularies), *((min(vocabularies), each) for each in depths)])
    if len(sizes) < 3:
        raise InvalidInput(
            f"there are {len(sizes)} different trees, one for each of vocabularies and one for each further one of "
            "depths, but an exponent needs three: take depths 1, 2, 3, say."
        )
    trees = [needles(*size, hypotheses=hypotheses) for size in sizes]
    for tree in trees:
        _require_far(tree, epsilon)
    setting = Setting(seeds, labels, ratio, epsilon)
    swept, scores = sweep(setting, trees, part(watch, 0, 2))
    stays, of_stays = who_stays(setting, trees, part(watch, 2, 4))
    own, of_own = _own(setting, methods, hypotheses, part(watch, 3, 4)) if methods else ([], [])
    return Outcome(
        name="actions",
        title="Vocabulary and depth",
        question="How do the labels to a good policy grow with vocabulary and depth, and is it coverability that sets "
        "them?",
        instance=_instance(setting, trees),
        settings={
            "seeds": seeds,
            "vocabularies": vocabularies,
            "depths": depths,
            "hypotheses": hypotheses,
            "labels": labels,
            "ratio": ratio,
            "epsilon": epsilon,
        },
        findings=[*swept, stays, vpo_that_is_xpo(setting, trees[0]), *own],
        scores=[*scores, *of_stays, *of_own],
    )


def _require_far(tree: Needles, epsilon: float) -> None:
    start = float(gap(tree.problem, tree.problem.log_reference))
    if epsilon >= start:
        raise InvalidInput(
            f"epsilon is {epsilon!r}, but the reference is within {start:.3g} of the optimum with {tree.vocabulary} "
            f"tokens and {tree.depth} steps, so there is nothing to learn: take a smaller epsilon, say 0.1."
        )


def _instance(setting: Setting, trees: Sequence[Needles]) -> list[str]:
    betas = [tree.problem.beta for tree in trees]
    masses = [tree.mass for tree in trees]
    return [
        f"A token tree. After every prefix the reference gives {COMMON:g} to a common token and shares the rest among "
        f"the others. One response without the common token has reward {REWARD:g}, in log-odds; every other has reward "
        "0, so that between two of them a coin is tossed. The reference gives each response without the common token "
        f"(1/(2(A-1)))^H, from {figure(max(masses), 2)} down to {figure(min(masses), 2)}: longer responses and larger "
        "vocabularies make it rarer.",
        "The class has the optimum of 'response i is the good one' for up to "
        f"{max(tree.hypotheses for tree in trees)} of those responses, chosen once, and the reference itself, 'none "
        f"is'. Its coverability is computed exactly. A class holds at most {MOST:,} numbers, so the largest trees have "
        "fewer hypotheses; coverability and the number of trajectories then go different ways, which is what tells "
        "them apart. Vocabulary and depth enter only through the number of hypotheses and their mass: with a reward on "
        "its leaves, a tree is the bandit of its trajectories.",
        f"Beta is set for every tree so that the best policy gives the good response {SHARE:g} (from "
        f"{figure(max(betas), 2)} to {figure(min(betas), 2)}), alpha is {setting.ratio:g} times beta/2. The learner is "
        "the exact argmin; ties go to the policy nearest to the reference, then to an order drawn by the seed. Labels "
        "are drawn by Bradley-Terry. XPO and VPO pair the policy with the reference, SELM with itself, its reference "
        "fixed but where said.",
        f"Labels are counted until an iterate has a gap of at most {setting.epsilon:g}. Only the true hypothesis has, "
        "so the exponent of epsilon is not tested here. Runs are given up after "
        f"{setting.labels} labels, on the largest tree after {min(setting.limit(tree) for tree in trees)}; a median "
        "that was not reached enters no exponent.",
    ]


def _own(
    setting: Setting, methods: Sequence[Method], hypotheses: int, watch: Watch
) -> tuple[list[Finding], list[Score]]:
    tree = needles(*OWN, hypotheses=hypotheses)
    every = beside(list(setting.methods(tree).values()), methods)
    scores: list[Score] = []
    for i, method in enumerate(every):
        watched = part(watch, i, len(every))
        scores.append(median(method.name, "labels, own methods' tree", setting.labels_to(tree, method, watched)))
    reached = ", ".join(f"{score.method} {estimate(score)}" for score in scores[-len(methods) :])
    finding = Finding(
        id="own",
        title=f"Methods of your own, with {OWN[0]} tokens and {OWN[1]} steps",
        claim="Nothing is claimed of them.",
        verdict=f"Median labels to a gap of {setting.epsilon:g}: {reached}.",
        holds=None,
        tables=[Grid("Median labels", ("method", "labels"), [(score.method, estimate(score)) for score in scores])],
    )
    return [finding], scores

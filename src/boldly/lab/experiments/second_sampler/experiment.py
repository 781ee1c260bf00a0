"""The general version of the algorithm: whom should an answer of the policy be compared with?"""

from collections.abc import Sequence

from boldly.errors import InvalidInput
from boldly.lab.classes import grid_of_two_arms
from boldly.lab.experiments.beside import beside
from boldly.lab.experiments.outcome import Outcome, Watch, unwatched
from boldly.lab.experiments.second_sampler.laws import laws
from boldly.lab.experiments.second_sampler.setting import TARGET, every_law, follow, grid_class
from boldly.lab.experiments.second_sampler.stopping import stopping
from boldly.lab.experiments.second_sampler.twins import telling_apart
from boldly.lab.experiments.summary import part
from boldly.lab.learners import Exact
from boldly.lab.method import Method
from boldly.lab.problems import trap, two_arms
from boldly.lab.problems.checks import require_count, require_positive


def second_sampler(
    *,
    seeds: int = 50,
    rounds: int = 200,
    ratio: float = 0.1,
    distances: tuple[int, ...] = (1, 3, 6),
    rare_seeds: int = 20,
    rare_rounds: int = 100,
    methods: Sequence[Method] = (),
    watch: Watch = unwatched,
) -> Outcome:
    """Whom should an answer of the policy be compared with: the reference's, its own, an earlier one, any?

    Source: arXiv 2405.21046, its general version with any second sampler; arXiv 2509.22633 for the previous iterate.
    `ratio` is alpha / beta of XPO on two arms, the trap and the twins, which `distances` (log-odds) sweep; `seeds` and
    `rounds` are theirs. `rare_seeds` repetitions buy `rare_rounds` labels on the rare arm. `methods` are run beside the
    experiment's on `trap()`. Gaps are in reward.

    Raises `InvalidInput` for a ratio not above 0, fewer than two distances or one below 1, and seeds or rounds below 1.
    """
    counts = {"seeds": seeds, "rounds": rounds, "rare_seeds": rare_seeds, "rare_rounds": rare_rounds}
    for name, count in counts.items():
        require_count(name, count, f"{name}=50")
    require_positive("ratio", ratio, "ratio=0.1")
    if len(set(distances)) < 2 or min(distances) < 1:
        raise InvalidInput(
            f"distances is {distances!r}, but the twins are swept over two or more from 1 on: take 1, 3, 6, say."
        )
    arms, trapped = two_arms(0.015), trap()
    own = {
        "two arms": (arms, every_law(arms, Exact(grid_of_two_arms(arms)), ratio)),
        "trap": (trapped, beside(every_law(trapped, grid_class(trapped, 6), ratio), methods)),
    }
    ran = {
        where: {
            method.name: follow(problem, method, rounds, seeds, part(part(watch, i, 4), j, len(every)), where=where)
            for j, method in enumerate(every)
        }
        for i, (where, (problem, every)) in enumerate(own.items())
    }
    found = (
        laws(ran),
        telling_apart(sorted(set(distances)), ratio, rounds, seeds, part(watch, 2, 4)),
        stopping(ran["trap"], rare_rounds, rare_seeds, part(watch, 3, 4)),
    )
    return Outcome(
        name="second-sampler",
        title="The second response",
        question="Whom should an answer of the policy be compared with: the reference's, its own, an earlier one, any?",
        instance=_instance(ratio),
        settings={**counts, "ratio": ratio, "distances": distances},
        findings=[finding for findings, _ in found for finding in findings],
        scores=[score for _, scores in found for score in scores],
    )


def _instance(ratio: float) -> list[str]:
    return [
        "A round buys one label, of an answer of the policy against one of a second law: the reference, the policy "
        "itself, the iterate before it (previous), an even mixture of all iterates so far (history), or all responses "
        "alike (uniform). The policy is then the exact argmin; ties go to the policy nearest to the reference.",
        "XPO's bonus is on the second response of every label bought so far, so it is taken over the very responses "
        "that the labels compare with. Where the law moves, this is its history and not fresh draws from the newest. "
        f"alpha is beta times {ratio:g} as on the two arms of Proposition 2.1; DPO is the same with alpha 0.",
        "Two arms are those of Proposition 2.1 at beta 0.015: a good arm of mass 2.4e-4. The trap has a lazy arm (mass "
        ".83, reward 0), a mediocre one (.16, 2.7) and the best (.01, 6) at beta 0.1, and a class of the optima of all "
        f"whole rewards from 0 to 6 and of the true ones. A run succeeds if its best iterate has a gap of at most "
        f"{TARGET:g}.",
        "The twins are ours, after the argument in the abstract of arXiv 2509.22633, whose own instance we did not "
        "see: a common bad arm (.98) and two rare ones (.01 each), which beat it by a distance d and d + 1 "
        "(log-odds), at "
        "beta 0.1. The rare arm is one of twenty with mass 1e-3 and reward 6 against U[0, 2], at beta 0.6, over the "
        "optima of all rewards in [0, 6]^20, found by a solver.",
    ]

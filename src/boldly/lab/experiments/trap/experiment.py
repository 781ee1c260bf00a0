"""The trap: which learner keeps the promise of optimism, and where it breaks."""

from collections.abc import Sequence

from boldly.errors import InvalidInput
from boldly.lab.experiments.outcome import Finding, Outcome, Score, Watch, unwatched
from boldly.lab.experiments.summary import part, percent
from boldly.lab.experiments.trap.features import ARMS, features
from boldly.lab.experiments.trap.leaves import leaves
from boldly.lab.experiments.trap.noisy import noisy
from boldly.lab.experiments.trap.rare import COMMON, rare
from boldly.lab.experiments.trap.setting import BETA, BOUND, DAMPING, FLOOR, PART_OF_THE_WAY, RATE, STEPS, STRONG, WEAK
from boldly.lab.experiments.trap.table import every_seed, table
from boldly.lab.experiments.trap.wide import AT_ONCE, BAD, EXACT_ROUNDS, FEWEST, RARE, ROUNDS, wide
from boldly.lab.method import Method
from boldly.lab.problems.checks import require_count

EVERY_RATIO = (0.5, 2.0)
"""The ratios at which many seeds are run."""


def trap(
    *,
    seeds: int = 8,
    limit: int = 1500,
    exact_limit: int = 40,
    ratios: tuple[float, ...] = (2.0,),
    many: int = 100,
    masses: tuple[float, ...] = (1e-2, 1e-3, 1e-4, 1e-6),
    arms: tuple[int, ...] = (10, 100, 1000),
    flips: tuple[float, ...] = (0.0, 0.2, 0.4),
    dimensions: tuple[int, ...] = (2, 8),
    draws: int = 1,
    methods: Sequence[Method] = (),
    watch: Watch = unwatched,
) -> Outcome:
    """Which learner keeps the promise of optimism where a mediocre arm lies in the way, and where does it break?

    Gradient descent and natural steps may buy `limit` labels on the trap and its variants, the exact argmin
    `exact_limit`, at each of `ratios` and at 2; `ratios` are alpha / (beta / 2). `many` seeds say how often the trap is
    left; `masses` are those of the best arm, `arms` how many arms there are, `flips` shares of labels that are flipped
    and `dimensions` those of log-linear features, of which `draws` are taken. `methods` are run beside the
    experiment's on the trap and its variants.

    Raises `InvalidInput` for counts below 1, an empty sweep, a ratio below 0, a mass outside (0, .84), fewer than 4
    arms, a share of flips outside [0, 1] and a method with the name of another.
    """
    counts = {"seeds": seeds, "limit": limit, "exact_limit": exact_limit, "many": many, "draws": draws}
    for name, count in counts.items():
        require_count(name, count, f"{name}=8")
    sweeps = {"ratios": ratios, "masses": masses, "arms": arms, "flips": flips, "dimensions": dimensions}
    for name, sweep in sweeps.items():
        if not sweep:
            raise InvalidInput(f"{name} is empty, so nothing would be run: write `{name}={_EXAMPLES[name]}`.")
        _require_all(name, sweep, *_BOUNDS[name])
    watches = [part(watch, i, 7) for i in range(7)]
    parts = (
        table(seeds, limit, exact_limit, ratios, methods, watches[0]),
        every_seed(many, EVERY_RATIO, min(limit, 100), watches[1]),
        rare(seeds, masses, min(limit, 100), exact_limit, watches[2]),
        wide(max(1, seeds // 2), arms, watches[3]),
        noisy(seeds, flips, min(limit, 100), min(exact_limit, 20), watches[4]),
        leaves(seeds, min(limit, 150), watches[5]),
        features(max(1, seeds // 2), draws, dimensions, min(limit, 40), watches[6]),
    )
    found, scores = [finding for finding, _ in parts], [score for _, each in parts for score in each]
    return Outcome(
        name="trap",
        title="The trap",
        question="Which learner keeps the promise of optimism where a mediocre arm lies in the way, and where does it "
        "break: the exact argmin, gradient descent or natural steps?",
        instance=_instance(),
        settings={**counts, **sweeps},
        findings=[*found, answer(scores, many, masses, dimensions)],
        scores=scores,
    )


_EXAMPLES = {
    "ratios": "(0.0, 2.0)",
    "masses": "(1e-2, 1e-4)",
    "arms": "(10, 100)",
    "flips": "(0.0, 0.2)",
    "dimensions": "(2, 8)",
}
_BOUNDS: dict[str, tuple[float, float]] = {
    "ratios": (0.0, 100.0),
    "masses": (1e-200, COMMON / 2),
    "arms": (FEWEST, 1e5),
    "flips": (0.0, 1.0),
    "dimensions": (1, 1e3),
}


def _require_all(name: str, sweep: Sequence[float], least: float, most: float) -> None:
    for value in sweep:
        if not least <= value <= most:
            raise InvalidInput(
                f"{name} has {value!r}, but each has to lie between {least:g} and {most:g}: write "
                f"`{name}={_EXAMPLES[name]}`."
            )


def _instance() -> list[str]:
    return [
        "One prompt and three arms: a lazy one that the reference draws 83 times in 100 (reward 0), a mediocre one, 16 "
        "times (.45), and the best, once (1). Variants leave out the mediocre arm, make the best rarer or give it a "
        f"bad twin. Labels are drawn by Bradley-Terry at scale 6; beta = {BETA:g}, and alpha is given as the ratio "
        "alpha / (beta / 2). A round buys one label, of an answer of the policy against one of the reference, unless a "
        f"part says otherwise. The target is {PART_OF_THE_WAY:.0%} of the way from the reference's reward to the best "
        "arm's, without the KL term.",
        f"Gradient descent and natural steps go on from the present policy, {STEPS} steps a round on the mean over "
        f"every label so far, at a learning rate of {RATE:g}, chosen so that labels without a bonus cost on two arms "
        f"about what they did in the prototype. A natural step is the logits' gradient over pi + {DAMPING:g}, at most "
        f"2 nats. Both have a floor of {FLOOR:g} nats under the bonus.",
        f"The exact learner takes the argmin over all policies whose log-ratios lie in a box of {BOUND:g} nats: the "
        "optima of all rewards in [0, 6], the true one among them. With many parameters its search begins from three "
        "points, in rounds of several labels, and may miss a lower minimum.",
        f"The wide trap shares the best arm's {RARE:g} among it and many arms of reward {BAD:g}, and buys in each of "
        f"{ROUNDS} rounds ({EXACT_ROUNDS} with the exact learner) a label for every {AT_ONCE} arms. Features describe "
        f"the wide trap with {ARMS} arms: one is the reward, the others are random. Both use half the seeds. The tree "
        "has 64 leaves, the best of mass .01, as the bandit of its responses.",
        f"Chosen after a pilot on the same seeds: the box of {BOUND:g} nats (in one of 20, which does not hold the "
        f"optimum, the exact learner stayed in the trap), bad arms of reward {BAD:g} (with 0, as good as the lazy one, "
        f"their labels are coin flips and the exact learner took longer), its ratio of {WEAK:g} on the wide trap and "
        f"the tree (at {STRONG:g} three starts missed minima), and the criteria that no source gives.",
    ]


def answer(scores: Sequence[Score], many: int, masses: Sequence[float], dimensions: Sequence[int]) -> Finding:
    """In words, from the scores: which learner keeps the promise, and where it breaks."""

    def reached(kind: str, where: str, ratio: float = STRONG) -> str:
        return percent(
            next(
                score
                for score in scores
                if score.method.startswith(f"{kind}, ratio {ratio:g}")
                and score.measure.startswith("reached")
                and score.measure.endswith(f", {where}")
            )
        )

    rarest, most = f"best arm's mass {min(masses):g}", f"{max(dimensions)} features"
    return Finding(
        id="answer",
        title="Which learner keeps the promise?",
        claim="No claim: the answer of all parts together.",
        verdict=f"On a table the exact argmin reached the target on the trap in {reached('exact', 'trap')} of runs, "
        f"and with a best arm of mass {min(masses):g} in {reached('exact', rarest)}. Natural steps did in "
        f"{reached('natural', f'trap, {many} seeds')} of {many} seeds, at that mass in "
        f"{reached('natural', rarest)}, and on the tree in {reached('natural', 'tree')}, where no bonus gives "
        f"{reached('natural', 'tree', 0.0)}. Gradient descent did in {reached('gradient', 'trap')}. With {most} the "
        f"exact argmin did in {reached('exact', most, WEAK)} at ratio {WEAK:g} and in {reached('exact', most)} at "
        f"{STRONG:g}.",
        holds=None,
    )

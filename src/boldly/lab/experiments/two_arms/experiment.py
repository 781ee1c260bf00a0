"""Two arms, one of them good and exponentially rare: Proposition 2.1 of XPO."""

from collections.abc import Sequence

from boldly.errors import InvalidInput
from boldly.lab.classes import grid_of_two_arms
from boldly.lab.experiments.outcome import Outcome, Watch, unwatched
from boldly.lab.experiments.summary import part
from boldly.lab.experiments.two_arms.proposition import good_arm, sweep
from boldly.lab.experiments.two_arms.setting import Setting
from boldly.lab.experiments.two_arms.variations import bad_arm, sign, ties, uniform
from boldly.lab.method import Method
from boldly.lab.problems import Bandit
from boldly.lab.problems import two_arms as instance_of
from boldly.lab.problems.checks import require_count


def two_arms(
    *,
    seeds: int = 100,
    beta: float = 0.015,
    rounds: int = 200,
    betas: tuple[float, ...] = (0.05, 0.042, 0.035, 0.03, 0.026, 0.0225, 0.02),
    limit: int = 4000,
    methods: Sequence[Method] = (),
    watch: Watch = unwatched,
) -> Outcome:
    """How many labels until an arm is found that is good and that the reference hardly ever draws?

    Source: arXiv 2405.21046, Proposition 2.1. Every part but the sweep buys `rounds` labels at `beta`; the sweep goes
    on for up to `limit` labels at each of `betas`. `methods` are run beside online DPO and XPO on
    `boldly.lab.problems.two_arms(beta)`. Gaps are in reward.

    Raises `InvalidInput` for a beta that the proposition does not allow, fewer than three betas, and seeds, rounds or a
    limit below 1.
    """
    if len(set(betas)) < 3:
        raise InvalidInput(
            f"betas needs at least three different values, as a slope does, e.g. 0.05, 0.03, 0.02; {betas!r} was given."
        )
    require_count("seeds", seeds, "seeds=100")
    require_count("rounds", rounds, "rounds=200")
    require_count("limit", limit, "limit=4000")
    problem, problems = instance_of(beta), {each: instance_of(each) for each in sorted(set(betas), reverse=True)}
    setting = Setting(seeds, beta, rounds)
    parts = (
        good_arm(setting, problem, methods, part(watch, 0, 6)),
        sweep(seeds, problems, limit, part(watch, 1, 6)),
        ties(setting, problem, part(watch, 2, 6)),
        uniform(setting, part(watch, 3, 6)),
        sign(setting, problem, part(watch, 4, 6)),
        bad_arm(setting, problem, part(watch, 5, 6)),
    )
    return Outcome(
        name="two-arms",
        title="Two arms",
        question="How many labels until an arm is found that is good and that the reference hardly ever draws?",
        instance=_instance(problem),
        settings={"seeds": seeds, "beta": beta, "rounds": rounds, "betas": betas, "limit": limit},
        findings=[finding for finding, _ in parts],
        scores=[score for _, scores in parts for score in scores],
    )


def _instance(problem: Bandit) -> list[str]:
    members, rare = grid_of_two_arms(problem).members, float(problem.log_reference.exp()[0, 0])
    return [
        "One prompt and two arms. The good one has reward 1 and the reference draws it with probability "
        f"exp(-1/(8 beta)) = {rare:.2g} (beta = {problem.beta:g}); the other has reward 1/2. Labels are drawn by "
        "Bradley-Terry, so the good arm wins with probability sigma(1/2) = .62. At small beta J* is 7/8 and the "
        "reference's gap 3/8.",
        "A round buys one label, of an answer of the policy against one of the reference. The policy is then the exact "
        f"argmin over {members} policies, evenly spaced in the log-odds, whose log-ratios are within 1/beta nats "
        "(V_max = 1); the reference is among them. Ties go to the policy nearest to the reference.",
        "XPO has alpha = beta / 10; online DPO is the same with alpha = 0. The arm is found when the best iterate so "
        "far has a gap of at most 1/8: the algorithm returns its best iterate. XPO gets there by the bonus alone, with "
        "its first label, which says nothing of the good arm.",
    ]

"""What the reference covers: an arm that it never draws, hardly ever draws, or draws as often as any."""

from collections.abc import Sequence

from boldly.errors import InvalidInput
from boldly.lab.experiments.beside import beside
from boldly.lab.experiments.outcome import Outcome, Watch, unwatched
from boldly.lab.experiments.reference_coverage.findings import below, outside, tiny, uniform
from boldly.lab.experiments.reference_coverage.setting import (
    RATIO,
    REWARDS,
    TARGET,
    UNIFORM,
    VANISHING,
    Ran,
    own_methods,
    problem_at,
    run_all,
    threshold_at,
)
from boldly.lab.experiments.summary import part
from boldly.lab.learners import Exact
from boldly.lab.method import Method
from boldly.lab.problems import Bandit
from boldly.lab.problems.checks import require_count, require_positive


def reference_coverage(
    *,
    seeds: int = 50,
    beta: float = 0.1,
    rounds: int = 300,
    masses: tuple[float, ...] = (0.25, 0.1, 1e-2, 1e-3, 1e-6, 1e-12),
    methods: Sequence[Method] = (),
    watch: Watch = unwatched,
) -> Outcome:
    """What can be learned of a good arm that the reference draws never, hardly ever, or as often as any other?

    Source: arXiv 2405.21046, sections 2 and 3, and an objection of its reviewers: a uniform reference would bypass its
    hard instance. `masses` are the reference's probabilities of the best of four arms; at each one every method buys
    `rounds` labels. `methods` are run beside online DPO and XPO at every mass. Gaps are in reward.

    Raises `InvalidInput` for masses outside (0, 1/4], without 1/4 (the uniform reference) or without one above and one
    below the threshold at which the optimum gives the arm half its mass, a beta at which that is 0 in float64, and
    seeds or rounds below 1.
    """
    require_count("seeds", seeds, "seeds=50")
    require_count("rounds", rounds, "rounds=300")
    require_positive("beta", beta, "beta=0.1")
    threshold = threshold_at(beta)
    _require_masses(masses, beta, threshold)
    swept = sorted(set(masses), reverse=True)
    ran: dict[float, dict[str, Ran]] = {}
    for i, mass in enumerate(swept):
        problem = problem_at(mass, beta)
        ran[mass] = run_all(
            problem, beside(own_methods(problem), methods), mass, rounds, seeds, part(watch, i, len(swept))
        )
    findings = [
        outside(beta, threshold),
        tiny(ran, threshold, rounds),
        uniform(ran[UNIFORM]),
        below(ran, threshold),
    ]
    return Outcome(
        name="reference-coverage",
        title="What the reference covers",
        question="What can be learned of a good arm that the reference draws never, hardly ever, or as often as any "
        "other?",
        instance=_instance(beta, threshold, problem_at(UNIFORM, beta)),
        settings={"seeds": seeds, "beta": beta, "rounds": rounds, "masses": masses},
        findings=findings,
        scores=[score for at in ran.values() for each in at.values() for score in (each.found, each.labels, each.gap)],
    )


def _require_masses(masses: tuple[float, ...], beta: float, threshold: float) -> None:
    example = "0.25, 1e-3, 1e-6, 1e-12"
    if threshold * VANISHING == 0:
        raise InvalidInput(
            f"beta is {beta!r}, at which an arm is worth finding whatever mass float64 can hold: take 0.1, say."
        )
    if not all(0 < mass <= UNIFORM for mass in masses) or UNIFORM not in masses:
        raise InvalidInput(
            f"masses is {masses!r}, but they lie above 0 and up to {UNIFORM:g}, which is the uniform reference and has "
            f"to be among them: take {example}, say."
        )
    if min(masses) >= threshold or not any(threshold < mass < UNIFORM for mass in masses):
        raise InvalidInput(
            f"masses is {masses!r}, but of those below {UNIFORM:g} at least one has to lie above and one below "
            f"{threshold:.2g}, the mass from which on the arm is worth finding at beta {beta:g}: take "
            f"{example} at beta 0.1, say."
        )


def _instance(beta: float, threshold: float, problem: Bandit) -> list[str]:
    members = own_methods(problem)[0].learner
    assert isinstance(members, Exact)
    return [
        f"One prompt and four arms with rewards {', '.join(f'{reward:g}' for reward in REWARDS)} (log-odds) and beta = "
        f"{beta:g}. The reference gives the best arm a mass that is swept, and shares the rest evenly among the "
        f"others; 1/4 is the uniform reference. From a mass of {threshold:.2g} on the optimum gives the best arm more "
        "than half.",
        "A round buys one label, of an answer of the policy against one of the reference. The policy is then the exact "
        f"argmin over {members.policies.members} policies, the optima of all rewards in {{0, 1, 2, 3, 4}}^4 up to a "
        "constant; ties go to the policy nearest to the reference.",
        f"XPO has alpha = beta / {1 / RATIO:g}; online DPO is the same with alpha = 0. A run succeeds when the best "
        f"iterate so far has a gap of at most {TARGET:g}. The bonus may get there before any label speaks of the arm; "
        "whether the policy stays is told by its mean gap over the last quarter.",
    ]

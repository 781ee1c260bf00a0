"""The experiment: claims about the window, each judged on all three problems."""

from collections.abc import Sequence

from boldly.lab.experiments.alpha.sweep import (
    DELTA,
    NEAR,
    SLACK,
    Swept,
    in_words,
    plot_of,
    scores_of,
    sweep,
    table_of,
)
from boldly.lab.experiments.beside import beside
from boldly.lab.experiments.difficulty import CASES, OWN, Case, require_sweep
from boldly.lab.experiments.outcome import Finding, Grid, Outcome, Watch, unwatched
from boldly.lab.experiments.summary import estimate, part, share
from boldly.lab.method import Method
from boldly.lab.problems.checks import require_count

PUBLIC = (2e-4, 2e-3)
"""The least and the greatest ratio alpha / (beta / 2) of public settings."""

OFTEN = 0.95
"""The optimum is found if at least so many runs find it."""


def alpha(
    *,
    seeds: int = 50,
    rounds: int = 200,
    ratios: tuple[float, ...] = (1e-6, 1e-5, 2e-4, 2e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0),
    methods: Sequence[Method] = (),
    watch: Watch = unwatched,
) -> Outcome:
    """How strong does the bonus have to be, and how strong may it be, in units of beta / 2?

    Source: arXiv 2405.21046, Algorithm 1 and Theorem 3.1. `ratios` are alpha / (beta / 2): at zero margin DPO weighs a
    log-probability by beta / 2 and the bonus by alpha; the public ones, 2e-4 and 2e-3, are always among them. A run
    buys `rounds` labels. `methods` are run on the rare arm, whose beta is 0.6.

    Raises `InvalidInput` for fewer than one seed or round and for ratios that are not finite, positive and different.
    """
    require_count("seeds", seeds, "seeds=50")
    require_count("rounds", rounds, "rounds=200")
    require_sweep("ratios", ratios, "ratios=(0.001, 0.01, 0.1, 1.0)")
    cases = [make(seeds) for make in CASES.values()]
    tried = sorted({*ratios, *PUBLIC})
    swept = [
        sweep(case, tried, _own(case, methods), rounds=rounds, seeds=seeds, watch=part(watch, i, len(cases)))
        for i, case in enumerate(cases)
    ]
    return Outcome(
        name="alpha",
        title="How strong a bonus",
        question="How strong does the bonus have to be, and how strong may it be, in units of beta / 2?",
        instance=_instance(cases, rounds),
        settings={"seeds": seeds, "rounds": rounds, "ratios": ratios},
        findings=[_window(swept), _explores(swept), _too_much(swept), _theory(swept), _reversed(swept)],
        scores=[score for each in swept for score in scores_of(each)],
    )


def _own(case: Case, methods: Sequence[Method]) -> Sequence[Method]:
    taken = [case.method("XPO", 0.1), case.method("online DPO", 0.0)]
    return beside(taken, methods)[len(taken) :] if case.name == OWN else ()


def _instance(cases: Sequence[Case], rounds: int) -> list[str]:
    return [
        *(f"{case.words} Beta is {case.problem.beta:g}." for case in cases),
        "A round buys one label, drawn by Bradley-Terry, of an answer of the policy against one of the reference; "
        f"there are {rounds}. The policy is then the exact argmin over the class; ties go to the policy nearest to the "
        "reference. The ratio is alpha / (beta / 2): at zero margin DPO weighs a log-probability by beta / 2 and the "
        "bonus by alpha.",
        "What is missed is J* - J(policy) as a share of the reference's own, the mean over all iterates: exploring "
        f"costs as well as not exploring. A ratio is in the window if it misses at most {SLACK:g} more than the best "
        f"of the sweep; the optimum is found once an iterate misses at most {NEAR:g}.",
    ]


def _window(swept: Sequence[Swept]) -> Finding:
    common = [ratio for ratio in swept[0].ratios if all(ratio in each.window for each in swept)]
    windows = "; ".join(
        f"{each.case.name} {in_words(each.window, each.ratios)}, best {each.best:g} (misses "
        f"{each.by_ratio[each.best].mean:.2f}, online DPO {each.passive.mean:.2f})"
        for each in swept
    )
    shared = f"{in_words(common, swept[0].ratios)} in all three" if common else "no ratio of the sweep is in all three"
    return Finding(
        id="window",
        title="Where the window lies",
        claim=f"The public settings are in the window of every problem: {PUBLIC[0]:g} (TRL's XPO by default) and "
        f"{PUBLIC[1]:g} (SELM on Zephyr, arXiv 2405.19332, appendix D).",
        verdict=f"Windows of alpha / (beta / 2): {windows}; {shared}.",
        holds=all(ratio in each.window for each in swept for ratio in PUBLIC),
        plots=[plot_of(each) for each in swept],
        tables=[table_of(each) for each in swept],
    )


def _explores(swept: Sequence[Swept]) -> Finding:
    least = swept[0].ratios[0]
    found = [share("XPO", "found", each.by_ratio[least].found) for each in swept]
    passive = [share("online DPO", "found", each.passive.found) for each in swept]
    rows = [
        (
            each.case.name,
            estimate(without),
            *(estimate(share("", "found", missed.found)) for missed in list(each.controls.values())[:2]),
            estimate(with_bonus),
        )
        for each, without, with_bonus in zip(swept, passive, found, strict=True)
    ]
    columns = ("problem", "online DPO", *list(swept[0].controls)[:2], f"XPO at ratio {least:g}")
    return Finding(
        id="weakest",
        title="How little is enough to explore",
        claim=f"There is a lower end: the weakest bonus of the sweep, {least:g}, does not yet find what online DPO "
        f"does not find either, so in fewer than {OFTEN:.0%} of runs on some problem. (No paper says so: Theorem 3.1 "
        "of arXiv 2405.21046 has one alpha.)",
        verdict="; ".join(
            f"{each.case.name}: XPO at {least:g} {estimate(with_bonus)}, online DPO {estimate(without)}"
            for each, without, with_bonus in zip(swept, passive, found, strict=True)
        )
        + ". Under the exact argmin responses that were never seen are tied, and any bonus above the tolerance of the "
        "argmin (1e-9 nats) breaks the tie: the table has what online DPO finds where ties are broken otherwise.",
        holds=any(score.value < OFTEN for score in found),
        tables=[Grid("Share of runs that found the optimum", columns, rows)],
    )


def _too_much(swept: Sequence[Swept]) -> Finding:
    most = swept[0].ratios[-1]
    more = [each.more(each.by_ratio[most]) for each in swept]
    first = [next((r for r in each.ratios if each.more(each.by_ratio[r]).low > 0), None) for each in swept]
    return Finding(
        id="too-much",
        title="Too strong a bonus",
        claim=f"Too strong a bonus is worse than none (SELM's ablation, arXiv 2405.19332, section 6): at {most:g} more "
        "is missed than by online DPO on every problem, the 95% interval of the difference is above 0.",
        verdict="; ".join(
            f"{each.case.name}: {estimate(score, 2)} more, "
            + ("worse than none nowhere" if worse is None else f"worse than none first at {worse:g}")
            for each, score, worse in zip(swept, more, first, strict=True)
        )
        + ".",
        holds=all(score.low > 0 for score in more),
    )


def _theory(swept: Sequence[Swept]) -> Finding:
    return Finding(
        id="theory",
        title="The alpha of Theorem 3.1",
        claim="The alpha of Theorem 3.1 of arXiv 2405.21046, with its constant c at 1 and V_max, R_max, C_cov and |Pi| "
        f"of the class (delta {DELTA:g}), is in the window of every problem.",
        verdict="; ".join(
            f"{each.case.name}: ratio {each.theory:.2g} misses {each.by_theory.mean:.2f}, the best ratio "
            f"{each.by_ratio[each.best].mean:.2f}"
            for each in swept
        )
        + ".",
        holds=all(each.serves(each.by_theory) for each in swept),
    )


def _reversed(swept: Sequence[Swept]) -> Finding:
    wrong = [list(each.controls.values())[-1] for each in swept]
    more = [each.more(missed) for each, missed in zip(swept, wrong, strict=True)]
    return Finding(
        id="reversed",
        title="Control: the sign reversed",
        claim="A bonus with the wrong sign gains nothing: on no problem does it miss less than online DPO, the 95% "
        "interval of the difference is nowhere below 0.",
        verdict="; ".join(
            f"{each.case.name}: {estimate(score, 2)} more missed, found in "
            f"{estimate(share('', 'found', missed.found), 2)} of runs, by online DPO in "
            f"{estimate(share('', 'found', each.passive.found), 2)}"
            for each, missed, score in zip(swept, wrong, more, strict=True)
        )
        + ".",
        holds=all(score.high >= 0 for score in more),
    )

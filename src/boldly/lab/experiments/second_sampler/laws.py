"""Two arms and the trap under every law of the second response."""

from boldly.lab.experiments.outcome import Finding, Plot, Score
from boldly.lab.experiments.second_sampler.setting import OFTEN, SELDOM, Part, Ran, scores_of, table_of
from boldly.lab.experiments.summary import band, estimate, percent
from boldly.lab.second import SECOND


def laws(ran: dict[str, dict[str, Ran]]) -> Part:
    """What is claimed of the laws on two arms and in the trap, given what each method did there."""
    findings = [_bonus(ran["two arms"]), _uniform(ran), _returned(ran)]
    return findings, [score for each in ran.values() for score in scores_of(list(each.values()))]


def _lowest(scores: list[Score]) -> Score:
    return min(scores, key=lambda score: score.value)


def _highest(scores: list[Score]) -> Score:
    return max(scores, key=lambda score: score.value)


def _bonus(ran: dict[str, Ran]) -> Finding:
    rare = [law for law in SECOND if law != "uniform"]
    without = _highest([ran[f"DPO, {law}"].found for law in rare])
    by = _lowest([ran[f"XPO, {law}"].found for law in SECOND])
    return Finding(
        id="bonus",
        title="With the bonus any law will find it",
        claim="The bonus finds the rare good arm whatever law it is taken over (the general version in arXiv "
        f"2405.21046): its best iterate succeeds in at least {OFTEN:.0%} of runs by each of the five laws; "
        "without it the best "
        f"iterate does in at most {SELDOM:.0%} by each law that does not draw the arm by itself.",
        verdict=f"With the bonus the lowest share of runs is {percent(by)} ({by.method}); without it the highest, "
        f"uniform aside, is {percent(without)} ({without.method}).",
        holds=by.value >= OFTEN and without.value <= SELDOM,
        plots=[_plot("two-arms", "XPO on two arms", "XPO", ran)],
        tables=[table_of("Two arms", ran)],
    )


def _uniform(ran: dict[str, dict[str, Ran]]) -> Finding:
    least = _lowest([each["DPO, uniform"].found for each in ran.values()])
    late = {where: each["DPO, uniform"].late for where, each in ran.items()}
    return Finding(
        id="uniform",
        title="A uniform second response needs no bonus",
        claim="Where all responses can be named, drawing the second one evenly is exploration enough: online DPO's "
        f"best iterate succeeds in at least {OFTEN:.0%} of runs on both instances (follows from coverage; no paper is "
        "tested).",
        verdict=f"The lower share is {percent(least)}; its mean gap over the last quarter is "
        + " and ".join(f"{estimate(score)} ({where})" for where, score in late.items())
        + ".",
        holds=least.value >= OFTEN,
    )


def _returned(ran: dict[str, dict[str, Ran]]) -> Finding:
    pairs = {where: (each["XPO, policy"].late, each["XPO, reference"].late) for where, each in ran.items()}
    return Finding(
        id="own-law",
        title="A bonus against one's own answers never rests",
        claim="With both answers from the policy the bonus finds the best response but leaves a rougher final policy "
        "than with the second one from the reference (measured before on twenty arms, final gaps .6 to 1.5): its mean "
        "gap over the last quarter is higher on both instances (95% intervals apart).",
        verdict="; ".join(
            f"{where}: {estimate(own)} against {estimate(reference)}, with "
            f"{estimate(ran[where]['XPO, policy'].different)} "
            "labels of two different responses"
            for where, (own, reference) in pairs.items()
        )
        + ". Where there are none, the bonus turns the policy away from what it drew last and no label says a thing.",
        holds=all(own.low > reference.high for own, reference in pairs.values()),
        plots=[
            _plot("trap", "XPO in the trap", "XPO", ran["trap"]),
            _plot("trap-dpo", "DPO in the trap", "DPO", ran["trap"]),
        ],
        tables=[table_of("The trap", ran["trap"])],
    )


def _plot(id: str, title: str, method: str, ran: dict[str, Ran]) -> Plot:
    known = [f"{name}, {law}" for name in ("DPO", "XPO") for law in SECOND]
    shown = {name: each for name, each in ran.items() if name.startswith(f"{method}, ") or name not in known}
    return Plot(
        id=id,
        title=f"{title}: mean gap so far, by the law of the second response",
        reading="Each line is the mean gap of all iterates up to that label: one that falls has learned, one that "
        "stays level goes on paying. Lines are medians over runs, bands go from the 10% to the 90% quantile.",
        x_title="labels",
        y_title="mean of J* - J(policy) so far, reward",
        curves=[
            band(
                name,
                range(each.gaps.shape[-1]),
                each.gaps.cumsum(-1) / each.gaps.new_ones(each.gaps.shape[-1]).cumsum(-1),
            )
            for name, each in shown.items()
        ],
    )

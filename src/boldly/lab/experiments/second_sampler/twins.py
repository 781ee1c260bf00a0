"""Two good arms that a bad one can't tell apart: the case made for the previous iterate."""

from boldly.lab.experiments.outcome import Curve, Finding, Grid, Plot, Watch
from boldly.lab.experiments.second_sampler.setting import Part, Ran, follow, grid_class, optimistic, scores_of, twins
from boldly.lab.experiments.summary import estimate, part

LAWS = ("reference", "previous", "history")

WORSE = 2.0
"""The reference's comparisons fail if the gap at the greatest distance is so many times that at the least one."""


def telling_apart(distances: list[int], ratio: float, rounds: int, seeds: int, watch: Watch) -> Part:
    """XPO on the twins at each distance by three laws."""
    ran: dict[tuple[str, int], Ran] = {}
    for i, distance in enumerate(distances):
        problem = twins(distance)
        learner = grid_class(problem, distance + 1)
        for j, law in enumerate(LAWS):
            watched = part(part(watch, i, len(distances)), j, len(LAWS))
            method = optimistic(problem, learner, law, ratio)
            ran[law, distance] = follow(problem, method, rounds, seeds, watched, where=f"twins at distance {distance}")
    late = {key: each.late for key, each in ran.items()}
    near, far = distances[0], distances[-1]
    plot = Plot(
        id="twins",
        title="XPO on the twins",
        reading="A line that rises says that comparisons by that law tell the two good arms apart ever more slowly as "
        "the bad arm falls behind. Lines are means over runs, bands their 95% intervals.",
        x_title="distance of the bad arm, log-odds",
        y_title="mean gap over the last quarter, reward",
        curves=[
            Curve(
                law,
                list(distances),
                *([getattr(late[law, distance], end) for distance in distances] for end in ("value", "low", "high")),
            )
            for law in LAWS
        ],
    )
    table = Grid(
        "XPO's mean gap over the last quarter",
        ("distance", *LAWS),
        [(f"{distance}", *(estimate(late[law, distance]) for law in LAWS)) for distance in distances],
    )
    slower = Finding(
        id="twins-reference",
        title="What comparisons with the reference can't tell",
        claim="Comparisons with a reference that always loses don't tell two good arms apart, so XPO's regret can stay "
        f"linear for exponentially long (arXiv 2509.22633): its mean gap over the last quarter is at least {WORSE:g} "
        f"times as large at distance {far} as at distance {near}.",
        verdict=f"It is {estimate(late['reference', far])} at distance {far} and {estimate(late['reference', near])} "
        f"at distance {near}.",
        holds=late["reference", far].value >= WORSE * late["reference", near].value,
        plots=[plot],
        tables=[table],
    )
    repaired = Finding(
        id="twins-previous",
        title="Comparisons with the previous iterate",
        claim="Drawing the second response from the previous iterate repairs it (arXiv 2509.22633): at distance "
        f"{far} the mean gap over the last quarter is lower than with the reference (95% intervals apart).",
        verdict=f"It is {estimate(late['previous', far])} with the previous iterate, {estimate(late['history', far])} "
        f"with the history and {estimate(late['reference', far])} with the reference. The bonus here is over all "
        "second responses so far, and alpha does not fall; that paper's algorithm has its own calibration.",
        holds=late["previous", far].high < late["reference", far].low,
    )
    return [slower, repaired], scores_of(list(ran.values()))

"""The experiment itself."""

import math
from collections.abc import Sequence
from itertools import pairwise

from boldly.errors import InvalidInput
from boldly.lab.experiments.bad_labels.costs import costs, flips, measure, scores
from boldly.lab.experiments.bad_labels.flips import shrinking, wrong_rate
from boldly.lab.experiments.bad_labels.limits import bias, certain, circle
from boldly.lab.experiments.bad_labels.setup import BONUS, Setup, flipping, labellers, setup
from boldly.lab.experiments.outcome import Outcome, Watch, unwatched
from boldly.lab.method import Method
from boldly.lab.problems.checks import require_count, require_positive

QUESTION = "How much of the gap to the optimum does each kind of bad label cost, and what of it can be undone?"
SHARE = 0.8
"""Of the time, roughly, that the table takes."""


def bad_labels(
    *,
    seeds: int = 50,
    beta: float = 0.5,
    scale: float = 3.0,
    rates: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4),
    rounds: int = 5,
    labels_per_round: int = 200,
    methods: Sequence[Method] = (),
    watch: Watch = unwatched,
) -> Outcome:
    """How much of the gap to the optimum does each kind of bad label cost, and what of it can be undone?

    `seeds` random bandits of five responses with rewards U[0, `scale`] in log-odds, `beta` in reward per nat. DPO,
    robust DPO (arXiv 2403.00409), IPO (arXiv 2310.12036) and XPO (arXiv 2405.21046) are solved exactly over tables of
    bounded log-ratios, on labels as probabilities and on `rounds` times `labels_per_round` drawn ones, against labels
    flipped at each of `rates`, tossed, tied, biased, intransitive and without doubt. `methods` run beside them. Every
    number is the share of the reference's gap J* - J(pi_ref) that is left.

    Raises `InvalidInput` for counts below 1, a beta or scale that is not above 0, and rates that are none, not rising
    or outside (0, 1/2).
    """
    for name, value in (("seeds", seeds), ("rounds", rounds), ("labels_per_round", labels_per_round)):
        require_count(name, value, f"{name}=50")
    require_positive("scale", scale, "scale=3.0")
    _require_rates(rates)
    place = setup(seeds=seeds, beta=beta, scale=scale, rounds=rounds, labels=labels_per_round)
    everyone = labellers(place.problem, rates)
    cells = measure(place, everyone, methods, lambda share: watch(SHARE * share))
    findings = [costs(place, cells), flips(place, cells, [flipping(rate) for rate in rates])]
    rest = (lambda: wrong_rate(place), lambda: shrinking(place, rates), lambda: certain(place), lambda: bias(place))
    for done, find in enumerate((*rest, lambda: circle(place))):
        findings.append(find())
        watch(SHARE + (1 - SHARE) * (done + 1) / (len(rest) + 1))
    return Outcome(
        name="bad-labels",
        title="Bad labels",
        question=QUESTION,
        instance=_instance(place),
        settings={
            "seeds": seeds,
            "beta": beta,
            "scale": scale,
            "rates": rates,
            "rounds": rounds,
            "labels_per_round": labels_per_round,
        },
        findings=findings,
        scores=scores(cells),
    )


def _require_rates(rates: Sequence[float]) -> None:
    rising = all(low < high for low, high in pairwise(rates))
    if not rates or not rising or not all(math.isfinite(rate) and 0 < rate < 0.5 for rate in rates):
        raise InvalidInput(
            f"rates is {rates!r}, but it has to be rising shares of flipped labels between 0 and 1/2, both excluded: "
            "take 0.1, 0.2, 0.3, 0.4, say."
        )


def _instance(place: Setup) -> Sequence[str]:
    return (
        f"{place.seeds} random bandits, one for each seed: one prompt and five responses, the reference with standard "
        f"normal logits, rewards U[0, {place.scale:g}] in log-odds, beta {place.beta:g} reward per nat. The policy "
        "draws the first response and the reference the second. Sizes were chosen once, for a reference that is "
        "neither good nor hopeless, and not changed when the claims were measured.",
        f"Every objective is solved exactly over tables whose log-ratios span at most {place.bound:g} nats, twice what "
        "the largest reward needs. Labels are taken as their probabilities, which is what endlessly many would say, or "
        f"drawn, {place.rounds * place.labels:,} in {place.rounds} rounds. XPO has alpha = {BONUS:g} beta, IPO tau = "
        "beta / 4, with which its optimum is that of the reward for small differences; robust DPO is told the true "
        "rate.",
        "A number is the share of the reference's gap, J* - J(pi_ref), that is left: 0% is the optimum, 100% as good "
        "as not having learned, more is worse than that.",
    )

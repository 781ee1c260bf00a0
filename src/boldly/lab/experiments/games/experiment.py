"""Games: what methods make of preferences that no reward explains."""

from collections.abc import Sequence

from boldly.errors import InvalidInput
from boldly.lab.experiments.beside import beside
from boldly.lab.experiments.games.cycle import Cycle
from boldly.lab.experiments.games.findings import Utilities, Various
from boldly.lab.experiments.games.setting import (
    ARMS,
    DRAWN,
    FEATURES,
    HISTORY,
    SPPO,
    START,
    STEEPNESS,
    STRENGTH,
    Play,
    linear_arms,
    offline,
    online_ipo,
    play,
    random_games,
    rebel,
    rock_paper_scissors,
    scattered,
    sppo,
)
from boldly.lab.experiments.outcome import Outcome, Watch, unwatched
from boldly.lab.experiments.summary import part
from boldly.lab.method import Method
from boldly.lab.problems import Bandit, Dueling, Game
from boldly.lab.problems.checks import require_count, require_positive


def games(
    *,
    seeds: int = 20,
    beta: float = 0.1,
    horizons: tuple[int, ...] = (10, 20, 40, 80, 200),
    per_round: int = 32,
    methods: Sequence[Method] = (),
    watch: Watch = unwatched,
) -> Outcome:
    """What do methods make of preferences that no reward explains?

    Rock, paper, scissors; random games with and without a Condorcet winner, `seeds` of each kind; linear dueling
    bandits, which a reward does explain. SPPO is run for each of the `horizons`, all other methods, and `methods`, for
    the longest: rounds of `per_round` labels. `beta` (preference per nat) is that of DPO, IPO and the regularised game.
    Exploitability is a probability, max_y P(y beats pi) - 1/2.

    Raises `InvalidInput` for fewer than three different horizons, a horizon, seeds or labels below 1, and a beta that
    is not above 0.
    """
    require_count("seeds", seeds, "seeds=20")
    require_count("per_round", per_round, "per_round=32")
    require_positive("beta", beta, "beta=0.1")
    spans = sorted(set(horizons))
    if len(spans) < 3 or spans[0] < 1:
        raise InvalidInput(
            f"horizons is {horizons!r}, but a slope takes at least three different ones from 1 on: write "
            "`horizons=(10, 20, 40, 80, 200)`."
        )
    rounds = spans[-1]
    circle, various, utilities = rock_paper_scissors(beta), random_games(seeds, beta), linear_arms(seeds)
    starts = scattered(circle, seeds)
    own = [online_ipo(beta), *offline(beta)]
    on_circle = beside([*(sppo(name, rounds, 3) for name in (SPPO, DRAWN, HISTORY)), *own], methods)
    on_various = beside([*(sppo(name, rounds, ARMS) for name in (SPPO, DRAWN)), *own], methods)
    on_utilities = beside([rebel(rounds, ARMS), sppo(SPPO, rounds, ARMS), *own], methods)
    by_span = [(span, sppo(name, span, 3)) for span in spans for name in (SPPO, DRAWN)]
    parts = len(on_circle) + len(on_various) + len(on_utilities) + len(by_span)
    done = 0

    def played(problem: Bandit, rules: Game | Dueling, method: Method, span: int, repetitions: int) -> Play:
        nonlocal done
        done += 1
        return play(
            problem,
            rules,
            method,
            rounds=span,
            seeds=repetitions,
            per_round=per_round,
            watch=part(watch, done - 1, parts),
        )

    cycle = Cycle(
        circle,
        {each.name: played(circle.bandit(), circle, each, rounds, seeds) for each in on_circle},
        starts,
        {(span, each.name): played(starts.bandit(), starts, each, span, seeds) for span, each in by_span},
        rounds,
    )
    mixed = Various(
        various,
        {each.name: played(various.game.bandit(), various.game, each, rounds, 3 * seeds) for each in on_various},
        rounds,
    )
    explained = Utilities(
        utilities,
        {
            each.name: played(utilities.bandit(beta=beta), utilities.dueling(), each, rounds, seeds)
            for each in on_utilities
        },
    )
    return Outcome(
        name="games",
        title="Games",
        question="What do methods make of preferences that no reward explains?",
        instance=_instance(beta, rounds, per_round, seeds),
        settings={"seeds": seeds, "beta": beta, "horizons": horizons, "per_round": per_round},
        findings=[
            cycle.circling(),
            cycle.history(),
            cycle.rate(),
            cycle.regularised(),
            mixed.condorcet(),
            mixed.mixture(),
            mixed.fixed(),
            explained.agreement(),
        ],
        scores=[*cycle.scores(), *mixed.scores(), *explained.scores()],
    )


def _instance(beta: float, rounds: int, per_round: int, seeds: int) -> list[str]:
    return [
        f"Rock, paper, scissors: each of three arms beats another with probability {(1 + STRENGTH) / 2:g}. The policy "
        f"begins at {START}; the equilibrium, by linear programme, is the even mixture. For the rate "
        "in T each run begins at a law of its own.",
        f"Random games of {ARMS} arms, every pair's preference U[0, 1], reference uniform: the first {seeds} whose "
        f"Condorcet winner (beats every other) is Borda's too (the best mean win rate), the first {seeds} in which the "
        f"two differ, and the first {seeds} without a Condorcet winner.",
        f"{seeds} dueling bandits of {ARMS} arms with linear utilities in {FEATURES} features, of up to {STEEPNESS:g} "
        "log-odds: a reward explains them.",
        f"SPPO and REBEL draw both answers from the policy and take one natural step a round, from {per_round} new "
        f"labels, which in expectation is multiplicative weights with eta = sqrt(8 log n / T), T = {rounds}. Online "
        "IPO does so with a fixed reference and small steps. DPO and IPO are the exact argmin over as many labels in "
        f"all, bought at once of pairs that the reference drew; beta = {beta:g}. Labels are probabilities, but where "
        "drawn.",
    ]

"""The loop: Algorithm 1 of Exploratory Preference Optimization (arXiv 2405.21046), with every part of it named.

    for t = 0, 1, ...:
        ask     tau ~ pi_t and tau~ ~ pi_ref to each prompt; select which pairs deserve a label; store them
        tell    buy the labels, each durable before it is used
        fit     pi_{t+1} = argmin over pi of the objective on the labels of *every* round; keep it
    the caller returns the best of all iterates on held-out prompts

`rounds` is that, written down. People, a cluster or a crash can sit between the steps: what was asked and told is in
the ledger, what was learned is in the archive, and everything drawn at random is drawn from counters. So a loop that
is built again on both goes on where the last one stopped, and ends as if it had never stopped.

With `Schedule.ahead` the queries of further rounds are stored before a round is learned from, and people label them
meanwhile, or a `boldly.buying.Buyer` buys them: `boldly.drawing` says what they are drawn from.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from statistics import fmean
from typing import Literal, Protocol, TypeVar, runtime_checkable

from torch import Tensor

from boldly.beliefs import Beliefs
from boldly.buying import Buyer
from boldly.drawing import Drawing, Parts, Pool, Schedule
from boldly.errors import BudgetSpent, InvalidInput, WaitingForLabels
from boldly.learner import Evidence, StepReport
from boldly.ledger import Budget, Ledger, Spent, Step
from boldly.ledger.history import History
from boldly.ledger.scores import Scores
from boldly.oracles import Following, Oracle, answer
from boldly.policy import Iterates, Policy
from boldly.randomness import derive
from boldly.types import Candidates, Label, Prompt, Query, Verdict

_ROUNDING = 1e-9
"""Money is counted in billionths."""


@runtime_checkable
class Archive(Iterates, Protocol):
    """Where the iterates of a run are kept."""

    def keep(
        self,
        policy: Policy,
        *,
        state: Mapping[str, Tensor],
        candidates: Sequence[Candidates],
        facts: Mapping[str, object],
    ) -> None:
        """Keep a policy as the next iterate, whole or not at all, with the learner's state."""
        ...

    def candidates(self, t: int) -> list[Candidates]:
        """The candidates of round t, as they were kept."""
        ...


Phase = Literal["sampling", "labelling", "learning"]


def _silent(phase: Phase) -> None:
    """The listener of a loop that nobody watches."""


@dataclass(frozen=True, slots=True)
class Round:
    """What happened in one round: what it sampled and bought, and the policy that it ended with."""

    number: int
    policy: Policy
    reference: str
    candidates: tuple[Candidates, ...]
    labels: tuple[Label, ...]
    steps: tuple[StepReport, ...]


@dataclass(slots=True)
class Loop:
    """Algorithm 1, one step at a time: `ask`, `tell`, `fit`.

    `policy` is the one being trained; it equals the newest iterate of `archive`, which holds its frozen past. With a
    `pool` the queries are not sampled but chosen among the recorded pairs that it says no earlier query has asked for.
    `announce` is called with "sampling" and "learning" when that begins, and with "labelling" at every label. `bound`
    is the most that a label of a query costs: a round ahead asks for no more than the money reaches for. With a
    `buyer` the rounds ahead are bought while the loop goes on, and `buy` waits for this round's labels alone.
    """

    policy: Policy
    prompts: Sequence[Prompt]
    parts: Parts
    ledger: Ledger
    archive: Archive
    budget: Budget
    schedule: Schedule = field(default_factory=Schedule)
    seed: int = 0
    announce: Callable[[Phase], None] = _silent
    pool: Pool | None = None
    bound: Callable[[Query], float] | None = None
    buyer: Buyer | None = None
    short: BudgetSpent | None = field(default=None, init=False)
    _history: History = field(init=False)
    _beliefs: Beliefs | None = field(default=None, init=False)
    _drawn: dict[int, list[Candidates]] = field(default_factory=dict[int, list[Candidates]], init=False)

    def __post_init__(self) -> None:
        if not self.prompts:
            raise InvalidInput("there are no prompts to sample responses to: `prompts` needs at least one.")
        self._history = History(self.ledger)
        if self.parts.hypotheses is not None:
            base, window = self.archive[0], self.schedule.window
            self._beliefs = Beliefs(base, self.parts.hypotheses, self._history, window, self.seed)
            for t in sorted({0, *range(max(0, self.t - window), self.t)} - {self.t}):
                self._beliefs.see(t, self.archive.candidates(t))

    @property
    def t(self) -> int:
        """The number of the round that is going on."""
        return len(self.archive) - 1

    @property
    def left(self) -> int:
        """How many labels may still be bought in this round."""
        return self._left(self.t)

    @property
    def asked(self) -> bool:
        """Whether the queries of this round are stored."""
        return bool(self.ledger.queries(self.t))

    @property
    def labelled(self) -> bool:
        """Whether this round has a label to learn from."""
        return len(self.ledger.queries(self.t)) > len(self.ledger.waiting(self.t))

    @property
    def reference(self) -> Policy:
        """The reference of the round that is going on."""
        return self.parts.reference(self.t, self.archive)

    def ask(self) -> tuple[Query, ...]:
        """The queries of this round that wait for a label; sampled, selected and stored when first asked for.

        Those of the rounds ahead are stored with them. Empty where no two payable responses could be found, or where
        nothing is left to spend.
        """
        for number in range(self.t, self.t + self.schedule.ahead + 1):
            if not self.ledger.queries(number):
                queries = self._draw(number) if self._left(number) else []
                if not queries:
                    break
                self.ledger.ask(queries)
        return self.ledger.waiting(self.t)

    def tell(self, verdicts: Iterable[tuple[Query, Verdict]], *, source: str) -> None:
        """Store verdicts that cost nothing but a label, each reserved in the budget and durable before the next.

        A query that has its label keeps it: telling it again changes nothing and costs nothing. For an oracle with a
        price use `boldly.oracles.answer`, which reserves before it sends.

        Raises `InvalidInput` for what is no verdict, and for a query that was never asked.
        """
        labelled: dict[int, set[str]] = {}
        for query, verdict in verdicts:
            _require_verdict(verdict)
            if query.round not in labelled:
                labelled[query.round] = {label.query.id for label in self.ledger.labels(round=query.round)}
            if query.id not in labelled[query.round]:
                attempt = self.ledger.reserve(query.id, bound=0.0, budget=self.budget)
                if self.ledger.tell(attempt.id, verdict, source=source, price=0.0):
                    labelled[query.round].add(query.id)

    def buy(self, queries: Sequence[Query], oracle: Oracle) -> None:
        """Ask the oracle and store its verdicts, as `boldly.oracles.answer` does: `tell` for an oracle with a price.

        With a `buyer` the rounds ahead are begun behind these queries and bought whole: of a round that was begun
        before, all is bought that waited, whichever of its queries are given here.

        Where the budget doesn't reach, what it admits is bought, and `short` holds the reason.
        """
        asked = oracle
        if isinstance(oracle, Following):
            asked = oracle.following(self.policy, self.reference, self.ledger.queries(self.t))
        try:
            for _ in self._bought(queries, asked):
                self.announce("labelling")
        except BudgetSpent as short:
            self.short = short

    def _bought(self, queries: Sequence[Query], oracle: Oracle) -> Iterator[Label]:
        """The labels of this round as they are bought, those of the rounds ahead behind them where there is a buyer."""
        if self.buyer is None:
            return answer(self.ledger, oracle, queries, budget=self.budget)
        self.announce("labelling")
        ahead = range(self.t + 1, self.t + self.schedule.ahead + 1)
        return self.buyer(oracle, queries, [self.t, *(number for number in ahead if self.ledger.queries(number))])

    def fit(self) -> Round:
        """Fit the policy to the labels of every round, keep it as the next iterate, and go on to the next round.

        Raises `WaitingForLabels` if this round was not asked, or not one of its queries has a label.
        """
        self.announce("learning")
        t, reference = self.t, self.reference
        corrections = self._history.corrections()  # before the labels are read, which may be corrected meanwhile
        labels, data = self._history.count(before=t + 1), self._history.comparisons(before=t + 1)
        newest = tuple(sorted(self.ledger.labels(round=t), key=lambda label: label.query.place))
        if not newest:
            raise WaitingForLabels(
                f"round {t} has not one label: `ask` for its queries and `tell` their verdicts first."
            )
        candidates = self._seen()
        evidence = Evidence(
            round=t,
            comparisons=data,
            first=data.before(t),
            spent=labels / self.budget.labels if self.budget.labels else 0.0,
            log_probs=Scores(self.ledger),
            pool=self._beliefs.pool() if self._beliefs else None,
            hypotheses=self._beliefs.ensemble(before=t + 1) if self._beliefs else None,
        )
        seed = derive(self.seed, "round", t, "fit")
        self.policy, steps = self.parts.learner.fit(
            self.policy, reference, evidence, name=f"iterate-{t + 1}", seed=seed
        )
        self.ledger.record_steps([Step(t, i, step.labels, step.taken, step.reason) for i, step in enumerate(steps)])
        # Before it is kept, so that no iterate is without: one that was recorded and not kept is made again, the same.
        facts = {"reference": reference.name, "corrections": corrections, **_summary(steps, candidates)}
        self.ledger.record_iterate(t + 1, name=self.policy.name, labels=labels, facts=facts)
        self.archive.keep(
            self.policy,
            state=self.parts.learner.state(),
            candidates=candidates if self._beliefs else (),
            facts={"labels": labels, "reference": reference.name},
        )
        return Round(t, self.policy, reference.name, tuple(candidates), newest, steps)

    def _left(self, number: int) -> int:
        """How many queries a round may ask: what waits already in the rounds since this one is as good as bought."""
        if self.short is not None:
            return 0
        spent, waiting = self._owed(number)
        most, limit = self.schedule.labels_per_round, self.budget.labels
        rest = most if limit is None else limit - spent.labels - max(spent.open, len(waiting))
        return max(0, min(rest, most))

    def _owed(self, number: int) -> tuple[Spent, list[Query]]:
        """What is spent, and what waits in the rounds from this one to another: at one instant, as people answer."""

        def read() -> tuple[Spent, list[Query]]:
            return self.ledger.spent(), [query for t in range(self.t, number) for query in self.ledger.waiting(t)]

        return read() if number == self.t else self.ledger.together(read)

    def _seen(self) -> list[Candidates]:
        """This round's candidates, after which those of the rounds ahead that are asked are in the pool too."""
        if self.pool is not None and self._beliefs is None:
            return []
        candidates = self._candidates(self.t)
        for number in range(self.t + 1, self.t + self.schedule.ahead + 1 if self._beliefs else 0):
            if self.ledger.queries(number):
                self._candidates(number)
        return candidates

    def _within_money(self, number: int, queries: list[Query]) -> list[Query]:
        """As many queries of a round ahead as the money reaches for, beside those that wait already."""
        if self.bound is None or self.budget.money is None or number == self.t:
            return queries
        spent, waiting = self._owed(number)
        owed = spent.money + sum(map(self.bound, waiting[spent.open :]))  # what is open is in the money that is spent
        most = self.budget.money + _ROUNDING
        return [
            query
            for query, cost in zip(queries, accumulate(map(self.bound, queries)), strict=True)
            if owed + cost <= most
        ]

    def _drawing(self, number: int) -> Drawing:
        by = self.schedule.drawn_by(number)
        return Drawing(
            number=number,
            known=by,
            policy=self.policy if by == self.t else self.archive[by],
            reference=self.parts.reference(by, self.archive),
            prompts=self.prompts,
            parts=self.parts,
            schedule=self.schedule,
            history=self._history,
            seed=self.seed,
            beliefs=self._beliefs,
        )

    def _draw(self, number: int) -> list[Query]:
        """The queries of a round, as they are stored."""
        self.announce("sampling")
        drawing, count = self._drawing(number), self._left(number)
        self.ledger.record_round(number, policy=drawing.policy.name, reference=drawing.reference.name)
        candidates = self._candidates(number) if self.pool is None or self._beliefs else []
        queries = drawing.select(candidates, count) if self.pool is None else drawing.choose(self.pool, count)
        return self._within_money(number, queries)

    def _candidates(self, number: int) -> list[Candidates]:
        """A round's candidates, drawn when they are first needed, after those of the rounds before."""
        if number not in self._drawn:
            if self._beliefs and number > self.t:
                self._candidates(number - 1)
            self._drawn = {t: drawn for t, drawn in self._drawn.items() if t >= self.t}
            self._drawn[number] = self._drawing(number).candidates()
            if self._beliefs:
                self._beliefs.see(number, self._drawn[number])
        return self._drawn[number]


Queries = TypeVar("Queries")
Answers = TypeVar("Answers", contravariant=True)
Done = TypeVar("Done", covariant=True)


@runtime_checkable
class Turns(Protocol[Queries, Answers, Done]):
    """What Algorithm 1 turns: the `Loop` of one run, or all the repetitions of an exact experiment (`boldly.lab`).

    `left` is how many labels may still be bought in this round, `asked` whether its queries are there already,
    `labelled` whether one of them has a label.
    """

    @property
    def left(self) -> int: ...

    @property
    def asked(self) -> bool: ...

    @property
    def labelled(self) -> bool: ...

    def ask(self) -> Queries: ...

    def buy(self, queries: Queries, oracle: Answers, /) -> None: ...

    def fit(self) -> Done: ...


def rounds(loop: Turns[Queries, Answers, Done], oracle: Answers) -> Iterator[Done]:
    """Algorithm 1: ask, buy and fit until the budget is spent. It neither prints nor evaluates: the caller does.

    Ends early where the policy gives no two payable responses to any prompt, where a record is used up, and where the
    money doesn't reach for a label of a round.
    """
    while loop.left or loop.asked:
        queries = loop.ask()
        if not loop.asked:
            return
        loop.buy(queries, oracle)
        if not loop.labelled:
            return
        yield loop.fit()


def _summary(steps: Sequence[StepReport], candidates: Sequence[Candidates]) -> dict[str, float | None]:
    """What is told of a round: means over the steps that were taken, and how much its candidates differed."""
    taken = [step for step in steps if step.taken]
    texts = [[response.text for response in each.responses] for each in candidates]
    return {
        "preference_loss": fmean(step.preference for step in taken) if taken else None,
        "bonus": fmean(step.bonus for step in taken) if taken else None,
        "gradient_norm": fmean(step.gradient_norm for step in taken) if taken else None,
        "refused_steps": len(steps) - len(taken),
        "distinct_candidates": fmean(len(set(each)) / len(each) for each in texts) if texts else 1.0,
    }


def _require_verdict(given: object) -> None:
    if not isinstance(given, Verdict):
        raise InvalidInput(
            f"{given!r} is no verdict; write `Preference(p)` with the probability p that a is better, `Tie()`, "
            "`BothBad()`, `Abstention()` or `Failure(reason)`."
        )

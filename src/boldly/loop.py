# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# torch leaves these unannotated.
"""The loop: Algorithm 1 of Exploratory Preference Optimization (arXiv 2405.21046), with every part of it named.

    for t = 0, 1, ...:
        ask     tau ~ pi_t and tau~ ~ pi_ref to each prompt; select which pairs deserve a label; store them
        tell    buy the labels, each durable before it is used
        fit     pi_{t+1} = argmin over pi of the objective on the labels of *every* round; keep it
    the caller returns the best of all iterates on held-out prompts

`rounds` is that, written down. People, a cluster or a crash can sit between the steps: what was asked and told is in
the ledger, what was learned is in the archive, and everything drawn at random is drawn from counters. So a loop that
is built again on both goes on where the last one stopped, and ends as if it had never stopped.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Literal, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from boldly.beliefs import Beliefs
from boldly.errors import BudgetSpent, InvalidInput, WaitingForLabels
from boldly.hypotheses import Hypotheses
from boldly.learner import Evidence, Learner, StepReport
from boldly.ledger import Budget, Ledger, Step
from boldly.ledger.scores import Scores
from boldly.oracles import Following, Oracle, answer
from boldly.policy import Iterates, Policy
from boldly.randomness import derive
from boldly.references import Reference
from boldly.samplers import Sampler
from boldly.selectors import Pick, View, payable
from boldly.types import Candidates, Label, Prompt, Query, Verdict, comparisons


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
class Parts:
    """What a recipe is made of. Give `hypotheses` where the selector or the learner decides by them.

    `payable` says which pairs of responses may be bought, whatever the selector thinks.
    """

    sampler: Sampler
    selector: Callable[[View, int], list[Pick]]
    reference: Reference
    learner: Learner
    hypotheses: Hypotheses | None = None
    payable: Callable[[Candidates], list[tuple[int, int]]] = payable


@dataclass(frozen=True, slots=True)
class Schedule:
    """How much happens in a round: labels, prompts sampled for each of them, rounds of candidates kept in the pool."""

    labels_per_round: int = 16
    prompts_per_label: int = 1
    window: int = 16


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
    `announce` is called with "sampling" and "learning" when that begins, and with "labelling" at every label.
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
    pool: Callable[[Sequence[Query]], Sequence[Candidates]] | None = None
    short: BudgetSpent | None = field(default=None, init=False)
    _beliefs: Beliefs | None = field(default=None, init=False)
    _drawn: tuple[int, list[Candidates]] = field(default=(-1, []), init=False)

    def __post_init__(self) -> None:
        if not self.prompts:
            raise InvalidInput("there are no prompts to sample responses to: `prompts` needs at least one.")
        if self.parts.hypotheses is not None:
            base, window = self.archive[0], self.schedule.window
            self._beliefs = Beliefs(base, self.parts.hypotheses, self.ledger, window, self.seed)
            for t in {0, *range(max(0, self.t - window), self.t)} - {self.t}:
                self._beliefs.see(t, self.archive.candidates(t))

    @property
    def t(self) -> int:
        """The number of the round that is going on."""
        return len(self.archive) - 1

    @property
    def left(self) -> int:
        """How many labels may still be bought in this round."""
        if self.short is not None:
            return 0
        spent, limit = self.ledger.spent(), self.budget.labels
        rest = self.schedule.labels_per_round if limit is None else limit - spent.labels - spent.open
        return max(0, min(rest, self.schedule.labels_per_round))

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

        Empty where no two payable responses could be found, or where nothing is left to spend.
        """
        self.announce("sampling")
        if not self.asked and self.left:
            self.ledger.record_round(self.t, policy=self.policy.name, reference=self.reference.name)
            self.ledger.ask(self._select(self.left) if self.pool is None else self._choose(self.pool, self.left))
        return self.ledger.waiting(self.t)

    def tell(self, verdicts: Iterable[tuple[Query, Verdict]], *, source: str) -> None:
        """Store verdicts that cost nothing but a label, each reserved in the budget and durable before the next.

        A query that has its label keeps it: telling it again changes nothing and costs nothing. For an oracle with a
        price use `boldly.oracles.answer`, which reserves before it sends.

        Raises `InvalidInput` for what is no verdict, and for a query that was never asked.
        """
        labelled = {label.query.id for label in self.ledger.labels()}
        for query, verdict in verdicts:
            _require_verdict(verdict)
            if query.id not in labelled:
                attempt = self.ledger.reserve(query.id, bound=0.0, budget=self.budget)
                if self.ledger.tell(attempt.id, verdict, source=source, price=0.0):
                    labelled.add(query.id)

    def buy(self, queries: Sequence[Query], oracle: Oracle) -> None:
        """Ask the oracle and store its verdicts, as `boldly.oracles.answer` does: `tell` for an oracle with a price.

        Where the budget doesn't reach, what it admits is bought, and `short` holds the reason.
        """
        asked = oracle
        if isinstance(oracle, Following):
            asked = oracle.following(self.policy, self.reference, self.ledger.queries(self.t))
        try:
            for _ in answer(self.ledger, asked, queries, budget=self.budget):
                self.announce("labelling")
        except BudgetSpent as short:
            self.short = short

    def fit(self) -> Round:
        """Fit the policy to the labels of every round, keep it as the next iterate, and go on to the next round.

        Raises `WaitingForLabels` if this round was not asked, or not one of its queries has a label.
        """
        self.announce("learning")
        t, reference = self.t, self.reference
        candidates = self._candidates() if self.pool is None or self._beliefs else []
        labels = self.ledger.labels()
        newest = tuple(label for label in labels if label.query.round == t)
        if not newest:
            raise WaitingForLabels(
                f"round {t} has not one label: `ask` for its queries and `tell` their verdicts first."
            )
        evidence = Evidence(
            round=t,
            comparisons=comparisons(labels),
            spent=len(labels) / self.budget.labels if self.budget.labels else 0.0,
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
        facts = {"reference": reference.name, **_summary(steps, candidates)}
        self.ledger.record_iterate(t + 1, name=self.policy.name, labels=len(labels), facts=facts)
        self.archive.keep(
            self.policy,
            state=self.parts.learner.state(),
            candidates=candidates if self._beliefs else (),
            facts={"labels": len(labels), "reference": reference.name},
        )
        return Round(t, self.policy, reference.name, tuple(candidates), newest, steps)

    def _candidates(self) -> list[Candidates]:
        """This round's candidates, drawn when they are first needed."""
        if self._drawn[0] != self.t:
            self._drawn = (self.t, self._sample(self._prompts(), extra=0))
            if self._beliefs:
                self._beliefs.see(self.t, self._drawn[1])
        return self._drawn[1]

    def _sample(self, prompts: Sequence[Prompt], extra: int) -> list[Candidates]:
        seed = derive(self.seed, "round", self.t, "sample", extra)
        return self.parts.sampler(self.policy, self.reference, prompts, seed=seed)

    def _select(self, count: int) -> list[Query]:
        """`count` queries; where the round's prompts hold fewer payable pairs, from up to three further draws."""
        queries = self._queries(self._candidates(), count, extra=0)
        for extra in range(1, 4):
            if len(queries) < count:
                more = self._queries(self._sample(self._further_prompts(extra), extra), count - len(queries), extra)
                queries += [_at_place(query, len(queries) + i) for i, query in enumerate(more)]
        return queries

    def _choose(self, pool: Callable[[Sequence[Query]], Sequence[Candidates]], count: int) -> list[Query]:
        """`count` queries about recorded pairs, chosen as sampled ones are; the reference draws what to explore."""
        if self._beliefs:
            self._candidates()
        left = pool([query for t in range(self.t) for query in self.ledger.queries(t)])
        generator = torch.Generator().manual_seed(derive(self.seed, "round", self.t, "pool"))
        order = torch.randperm(len(left), generator=generator).tolist()
        size = self.schedule.labels_per_round * self.schedule.prompts_per_label
        queries: list[Query] = []
        for extra, start in enumerate(range(0, len(order), size), start=1):
            if len(queries) < count:
                candidates = [left[i] for i in order[start : start + size]]
                more = self._queries(candidates, count - len(queries), extra)
                queries += [_at_place(query, len(queries) + i) for i, query in enumerate(more)]
        seed = derive(self.seed, "round", self.t, "explore")
        drawn = self.reference.sample([query.prompt for query in queries], 1, seed=seed) if queries else []
        return [replace(query, explore=explore) for query, (explore,) in zip(queries, drawn, strict=True)]

    def _queries(self, candidates: list[Candidates], count: int, extra: int) -> list[Query]:
        picks = self.parts.selector(self._view(candidates, extra), count)[:count]
        self._check(picks, candidates)
        reference = self.reference.name
        return [_query(candidates[pick.candidates], pick, self.t, i, reference) for i, pick in enumerate(picks)]

    def _check(self, picks: Sequence[Pick], candidates: Sequence[Candidates]) -> None:
        seen: set[tuple[int, frozenset[int]]] = set()
        for i, a, b in picks:
            pair = (i, frozenset((a, b)))
            payable = self.parts.payable(candidates[i]) if 0 <= i < len(candidates) else []
            if pair in seen or not {(a, b), (b, a)} & set(payable):
                raise InvalidInput(
                    f"the selector picked {Pick(i, a, b)}, which can't be bought: the two responses are equal, empty, "
                    "cut or not there, or it was picked before. Choose among the pairs that "
                    "`boldly.selectors.payable(candidates)` returns, each once."
                )
            seen.add(pair)

    def _view(self, candidates: list[Candidates], extra: int) -> View:
        t, beliefs = self.t, self._beliefs
        flat = [(c.prompt, response) for c in candidates for response in c.responses]
        sizes = [len(c.responses) for c in candidates]

        def log_ratios() -> list[Tensor]:
            prompts, responses = [prompt for prompt, _ in flat], [response for _, response in flat]
            scores = Scores(self.ledger)
            ratios = scores(self.policy, prompts, responses) - scores(self.reference, prompts, responses)
            return list(ratios.split(sizes))

        def features() -> list[Tensor]:
            assert beliefs is not None
            rows = beliefs.describe(candidates) if extra else beliefs.features(t)
            return list(rows.split(sizes))

        return View(
            candidates,
            seed=derive(self.seed, "round", t, "select", extra),
            labels=sum(label.query.round < t for label in self.ledger.labels()),
            read_log_ratios=log_ratios,
            read_features=features,
            hypotheses=beliefs.ensemble(before=t) if beliefs else None,
            bought=beliefs.bought(before=t) if beliefs else None,
        )

    def _prompts(self) -> list[Prompt]:
        """The prompts of this round: the next ones of a sequence that is shuffled anew in every pass."""
        size, n = self.schedule.labels_per_round * self.schedule.prompts_per_label, len(self.prompts)
        order: dict[int, list[int]] = {}
        chosen: list[Prompt] = []
        for position in range(self.t * size, (self.t + 1) * size):
            epoch, place = divmod(position, n)
            if epoch not in order:
                generator = torch.Generator().manual_seed(derive(self.seed, "prompts", epoch))
                order[epoch] = torch.randperm(n, generator=generator).tolist()
            chosen.append(self.prompts[order[epoch][place]])
        return chosen

    def _further_prompts(self, extra: int) -> list[Prompt]:
        generator = torch.Generator().manual_seed(derive(self.seed, "round", self.t, "prompts", extra))
        size = self.schedule.labels_per_round * self.schedule.prompts_per_label
        return [self.prompts[i] for i in torch.randint(len(self.prompts), (size,), generator=generator).tolist()]


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


def _query(candidates: Candidates, pick: Pick, t: int, place: int, reference: str) -> Query:
    a, b = candidates.responses[pick.a], candidates.responses[pick.b]
    explore = next((response for response in (b, a, *candidates.responses) if response.origin == reference), None)
    return Query(candidates.prompt, a, b, t, place, explore)


def _at_place(query: Query, place: int) -> Query:
    return Query(query.prompt, query.a, query.b, query.round, place, query.explore)

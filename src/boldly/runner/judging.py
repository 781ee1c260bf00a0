"""Held-out prompts: how every iterate is judged, what that costs, and which iterate is the best."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from boldly.errors import BudgetSpent, OracleUnavailable
from boldly.ledger import Budget, Ledger
from boldly.ledger.accounting import check_budget
from boldly.metrics import Sample
from boldly.metrics.evaluate import evaluate, rewards_of
from boldly.metrics.intervals import win_rate
from boldly.oracles import Oracle, Outside, Preparing, Reward, answer
from boldly.oracles.verdicts import raised
from boldly.policy import Policy
from boldly.progress import Evaluation, Record
from boldly.randomness import derive
from boldly.types import Prompt, Query, Response, preference_of

Kind = Callable[[Prompt, Response], str]
_TRIED = 3

Criterion = Literal["reward", "win_rate", "newest"]


@dataclass
class Judge:
    """Answers every held-out prompt once with an iterate and sets the answers beside the base model's.

    With a reward behind the oracle and no price on its labels that costs nothing. Otherwise the win rate against the
    base is bought from the evaluation account, within `budget`, the same share for each of `evaluations`; where that
    is 0 labels there is no win rate. None is bought for iterate 0, which is the base itself. Without an `oracle` nobody
    judges. People are not waited for: an evaluation has no win rate until none of its queries is `awaited`, and is
    then made `again`.
    """

    base: Policy
    prompts: Sequence[Prompt]
    oracle: Oracle | None
    ledger: Ledger
    budget: Budget
    evaluations: int
    seed: int
    kind: Kind | None = None
    answers: dict[int, list[Response]] = field(default_factory=dict, init=False)
    _made: dict[int, Evaluation] = field(default_factory=dict, init=False)
    _rewards: dict[tuple[str, str], float] = field(default_factory=dict, init=False)

    @cached_property
    def base_responses(self) -> list[Response]:
        seed = derive(self.seed, "evaluate", "base")
        return [drawn for (drawn,) in self.base.sample(self.prompts, 1, seed=seed)]

    @property
    def share(self) -> int:
        """How many comparisons are bought for one iterate."""
        return min(len(self.prompts), max(1, (self.budget.labels or 0) // max(1, self.evaluations)))

    @cached_property
    def reward(self) -> Reward | None:
        """The oracle's reward, asked once for each response.

        Raises `OracleUnavailable` if it fails at the base model's first responses: it would at all the others.
        """
        ask = self.oracle.reward if self.oracle and not self._priced(self.oracle) else None
        if ask is None:
            return None

        def reward(prompt: Prompt, response: Response) -> float:
            key = prompt.id, response.id
            if key not in self._rewards:
                self._rewards[key] = ask(prompt, response)
            return self._rewards[key]

        self._refuse_broken(reward)
        return reward

    def _priced(self, oracle: Oracle) -> bool:
        """Whether asking costs something, so that what is asked has to stand in the ledger."""
        drawn = zip(self.prompts[:1], self.base_responses[:1], strict=True)
        return any(oracle.bound(Query(prompt, said, said, 0, 0, account="evaluation")) > 0 for prompt, said in drawn)

    def _refuse_broken(self, reward: Reward) -> None:
        assert self.oracle is not None
        reason = ""
        for prompt, response in list(zip(self.prompts, self.base_responses, strict=True))[:_TRIED]:
            try:
                if math.isfinite(value := float(reward(prompt, response))):
                    return
                reason = f"{value} is not finite"
            except Exception as error:
                reason = raised(error).reason
        tried = min(_TRIED, len(self.prompts))
        raise OracleUnavailable(
            f"the reward of `{self.oracle.name}` failed at each of the first {tried} responses, the last "
            f"with: {reason}. Nothing was bought: mend it and give the same command again."
        )

    def __call__(self, policy: Policy, iterate: int) -> Evaluation:
        """The evaluation of iterate number `iterate`; the same answers whenever it is made."""
        bought = self.oracle is not None and self.reward is None and bool(self.budget.labels) and iterate > 0
        self._made[iterate], self.answers[iterate] = evaluate(
            policy,
            self.base,
            self.prompts,
            base_responses=self.base_responses,
            reward=self.reward,
            kind=self.kind,
            preferences=(lambda responses: self._buy(responses, iterate)) if bought else None,
            prepare=self.oracle.prepare if self.reward and isinstance(self.oracle, Preparing) else None,
            seed=derive(self.seed, "evaluate", iterate),
        )
        return self._made[iterate]

    def asked(self, iterate: int) -> bool:
        """Whether people are, or were, asked about an iterate."""
        return isinstance(self.oracle, Outside) and bool(self.ledger.queries(iterate, "evaluation"))

    def awaited(self, iterate: int) -> tuple[Query, ...]:
        """The queries about an iterate that people have still to answer; none where the budget admits no answer."""
        waiting = self.ledger.waiting(iterate, "evaluation")
        if not (waiting and isinstance(self.oracle, Outside)):
            return ()
        told = self.ledger.spent("evaluation")
        try:
            if not told.open:  # one that is being told right now may be among these
                check_budget(told, min(map(self.oracle.bound, waiting)), self.budget)
        except BudgetSpent:
            return ()
        return waiting

    def again(self, iterate: int) -> Evaluation | None:
        """The evaluation of an iterate with the verdicts that have come since it was made; None where this didn't."""
        if iterate not in self._made:
            return None
        verdicts = self._buy(self.answers[iterate], iterate)
        outcomes = [verdict for verdict in verdicts if verdict is not None]
        won = win_rate(outcomes) if outcomes else None
        self._made[iterate] = replace(self._made[iterate], win_rate=won, unjudged=verdicts.count(None))
        return self._made[iterate]

    def samples(self, iterate: int, count: int = 48) -> list[Sample]:
        """What the base and an iterate that was judged answer to the first `count` prompts."""
        return [
            Sample(
                number,
                prompt.text,
                response.text,
                rewards_of(self.reward, [prompt], [response])[0],
                response.ended,
                str(self.kind(prompt, response)) if self.kind else None,
            )
            for number, responses in ((0, self.base_responses), (iterate, self.answers[iterate]))
            for prompt, response in list(zip(self.prompts, responses, strict=True))[:count]
        ]

    def _buy(self, responses: Sequence[Response], iterate: int) -> list[float | None]:
        """The probability that each of the first responses, a share of the budget, beats the base's.

        From labels; sides change in every other query. Nothing where people have to judge and have not done so.
        """
        assert self.oracle is not None
        queries = [
            Query(prompt, *((own, base) if place % 2 else (base, own)), iterate, place, account="evaluation")
            for place, (prompt, own, base) in enumerate(zip(self.prompts, responses, self.base_responses, strict=True))
        ]
        queries = queries[: self.share]
        outside = isinstance(self.oracle, Outside)
        affordable = self.ledger.together(lambda: self._affordable(iterate if outside else 0))
        known = {label.query.id for label in self.ledger.labels("evaluation", round=iterate)}
        wanted = [query for query in queries if query.id not in known and query.a.text != query.b.text][
            : max(0, affordable)
        ]
        self.ledger.ask(wanted)
        # Nobody answering leaves the iterate unjudged; if the oracle is gone, the next round's labels will say so.
        with suppress(OracleUnavailable, BudgetSpent):
            deque(answer(self.ledger, self.oracle, () if outside else wanted, budget=self.budget), maxlen=0)
        if self.awaited(iterate):
            return []
        verdicts = {
            label.query.id: preference_of(label.verdict) for label in self.ledger.labels("evaluation", round=iterate)
        }
        return [self._own(query, verdicts) for query in queries]

    def _affordable(self, before: int) -> int:
        """How many labels may still be bought beside those that people were asked for about the iterates `before`."""
        waiting = sum(len(self.ledger.waiting(iterate, "evaluation")) for iterate in range(1, before))
        return (self.budget.labels or 0) - self.ledger.spent("evaluation").labels - waiting

    @staticmethod
    def _own(query: Query, verdicts: dict[str, float | None]) -> float | None:
        if query.a.text == query.b.text:
            return 0.5
        p = verdicts.get(query.id)
        return p if p is None or query.place % 2 else 1 - p


def best(records: Sequence[Record]) -> tuple[int, Criterion]:
    """The iterate with the highest held-out reward, else win rate, else the newest; of equals the earliest.

    The base wins against itself half the time.
    """
    judged = [record for record in records if record.evaluation is not None]
    rewards = [(r.evaluation.reward.value, -r.iterate) for r in judged if r.evaluation and r.evaluation.reward]
    if rewards:
        return -max(rewards)[1], "reward"
    wins = [(r.evaluation.win_rate.value, -r.iterate) for r in judged if r.evaluation and r.evaluation.win_rate]
    if wins:
        return -max((0.5, 0), *wins)[1], "win_rate"
    return max(record.iterate for record in records), "newest"

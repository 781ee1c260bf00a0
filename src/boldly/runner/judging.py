"""Held-out prompts: how every iterate is judged, what that costs, and which iterate is the best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from boldly.ledger import Budget, Ledger
from boldly.metrics import Sample
from boldly.metrics.evaluate import evaluate, rewards_of
from boldly.oracles import Oracle, answer
from boldly.policy import Policy
from boldly.progress import Evaluation, Record
from boldly.randomness import derive
from boldly.types import Prompt, Query, Response, preference_of

Kind = Callable[[Prompt, Response], str]
Criterion = Literal["reward", "win_rate", "newest"]


@dataclass
class Judge:
    """Answers every held-out prompt once with an iterate and sets the answers beside the base model's.

    With a reward behind the oracle that costs nothing. Without one, the win rate against the base is bought from the
    evaluation account, up to `labels` in all; where that is 0 there is no win rate.
    """

    base: Policy
    prompts: Sequence[Prompt]
    oracle: Oracle
    ledger: Ledger
    labels: int
    seed: int
    kind: Kind | None = None
    answers: dict[int, list[Response]] = field(default_factory=dict, init=False)

    @cached_property
    def base_responses(self) -> list[Response]:
        seed = derive(self.seed, "evaluate", "base")
        return [drawn for (drawn,) in self.base.sample(self.prompts, 1, seed=seed)]

    def __call__(self, policy: Policy, iterate: int) -> Evaluation:
        """The evaluation of iterate number `iterate`; the same answers whenever it is made."""
        bought = self.oracle.reward is None and self.labels > 0
        evaluation, self.answers[iterate] = evaluate(
            policy,
            self.base,
            self.prompts,
            base_responses=self.base_responses,
            reward=self.oracle.reward,
            kind=self.kind,
            preferences=(lambda responses: self._buy(responses, iterate)) if bought else None,
            seed=derive(self.seed, "evaluate", iterate),
        )
        return evaluation

    def samples(self, iterate: int, count: int = 48) -> list[Sample]:
        """What the base and an iterate that was judged answer to the first `count` prompts."""
        return [
            Sample(
                number,
                prompt.text,
                response.text,
                rewards_of(self.oracle.reward, [prompt], [response])[0],
                response.ended,
                str(self.kind(prompt, response)) if self.kind else None,
            )
            for number, responses in ((0, self.base_responses), (iterate, self.answers[iterate]))
            for prompt, response in list(zip(self.prompts, responses, strict=True))[:count]
        ]

    def _buy(self, responses: Sequence[Response], iterate: int) -> list[float | None]:
        """The probability that each response beats the base's, from labels; sides change in every other query."""
        queries = [
            Query(prompt, *((own, base) if place % 2 else (base, own)), iterate, place, account="evaluation")
            for place, (prompt, own, base) in enumerate(zip(self.prompts, responses, self.base_responses, strict=True))
        ]
        affordable = self.labels - self.ledger.spent("evaluation").labels
        known = {label.query.id for label in self.ledger.labels("evaluation")}
        wanted = [query for query in queries if query.id not in known and query.a.text != query.b.text][
            : max(0, affordable)
        ]
        self.ledger.ask(wanted)
        for _ in answer(self.ledger, self.oracle, wanted, budget=Budget(self.labels)):
            pass
        verdicts = {label.query.id: preference_of(label.verdict) for label in self.ledger.labels("evaluation")}
        return [self._own(query, verdicts) for query in queries]

    @staticmethod
    def _own(query: Query, verdicts: dict[str, float | None]) -> float | None:
        if query.a.text == query.b.text:
            return 0.5
        p = verdicts.get(query.id)
        return p if p is None or query.place % 2 else 1 - p


def best(records: Sequence[Record]) -> tuple[int, Criterion]:
    """The iterate with the highest held-out reward, else win rate, else the newest; of equals the earliest."""
    judged = [record for record in records if record.evaluation is not None]
    rewards = [(r.evaluation.reward.value, -r.iterate) for r in judged if r.evaluation and r.evaluation.reward]
    if rewards:
        return -max(rewards)[1], "reward"
    wins = [(r.evaluation.win_rate.value, -r.iterate) for r in judged if r.evaluation and r.evaluation.win_rate]
    if wins:
        return -max(wins)[1], "win_rate"
    return max(record.iterate for record in records), "newest"

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# torch leaves these unannotated.
"""The policy as its own judge: by its implicit reward, or by what it says when it is asked. It costs nothing."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from boldly.errors import OracleError, PromptsError
from boldly.oracles.bradley_terry import sigmoid
from boldly.oracles.protocol import Answer
from boldly.oracles.verdicts import first_line
from boldly.policy import Policy
from boldly.types import Abstention, Failure, Preference, Prompt, Query, Response, Tie, Verdict, content_id

By = Literal["implicit", "question"]

YES = ("yes", "Yes", " yes", " Yes")
NO = ("no", "No", " no", " No")

UNMOVED = 1e-3
"""A response whose log-ratio is smaller (nats) has not moved from the reference beyond rounding."""

SAID = 0.05
"""Where yes and no together have less probability than this, the policy would have said something else."""

_QUESTION = """Here is a conversation and two answers to it.

[conversation]
{prompt}

[first answer]
{first}

[second answer]
{second}

Is the first answer better than the second? Reply with yes or no alone."""


@runtime_checkable
class Says(Protocol):
    """A policy that can be asked how it would begin its answer."""

    def say(self, questions: Sequence[Prompt], answers: Sequence[Sequence[str]]) -> Float[Tensor, "questions answers"]:
        """log of the probability that the answer to a question begins with any of the spellings of each answer (nats).

        Raises `PromptsError` for a question that the policy can't read, and `OracleError` for an answer that it has no
        tokens for.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Look:
    """What was found out about a query: how much better `a` is, what is kept of it, or why that says nothing."""

    difference: float
    facts: dict[str, Any]
    settled: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Itself:
    """Answers by the policy being trained; its labels are self-made and free.

    `by` "implicit" compares the rewards that the policy's distance from its reference stands for (DPO, arXiv
    2305.18290, section 4), with the length correction of DICE (arXiv 2406.09760):

        d = beta * (log pi/pi_ref (a|x) - log pi/pi_ref (b|x)) - gamma * (|a| - |b|)

    `beta` is in reward per nat, `gamma` in reward per token; None takes the gamma at which the preferred responses of
    the round are as long as the others (`balance`). Where neither log-ratio has left 0, as in the first round, where
    the policy is its reference, it abstains: the policy has no opinion yet that its reference does not have.

    `by` "question" asks the policy whether the first answer is better than the second, in both orders:

        d = (logit(yes | a first) - logit(yes | b first)) / 2,   logit(yes) = log P(yes) - log P(no)

    so that a liking for a place, or for the word yes, cancels. It abstains where the policy would say neither word.

    `scale` None says that the better one wins, and a tie where |d| is at most `margin` or the two orders disagree;
    `scale` s says p = sigmoid(s d).

    It has to follow a policy (`following`): asked before, it raises `OracleError`.
    """

    by: By = "question"
    beta: float = 0.1
    gamma: float | None = None
    scale: float | None = None
    margin: float = 0.0
    policy: Policy | None = field(default=None, repr=False)
    reference: Policy | None = field(default=None, repr=False)
    correction: float = 0.0

    @property
    def name(self) -> str:
        return f"self:{self.by}"

    @property
    def reward(self) -> None:
        """None: a policy that judges its own progress would always see some."""
        return None

    def bound(self, query: Query) -> float:
        return 0.0

    def following(self, policy: Policy, reference: Policy, queries: Sequence[Query] = ()) -> "Itself":
        """The oracle of a round that starts from `policy`.

        `queries` are all of the round, answered or not, so that a run that was stopped goes on with the same gamma.
        Raises `OracleError` for a policy that can't be asked a question, or can't say yes or no.
        """
        if self.by == "question":
            if not isinstance(policy, Says):
                raise OracleError(
                    f"the policy {policy.name} can't be asked a question, as it has no method `say`: write "
                    f"`oracle: {{name: self, by: implicit}}`, which reads log-probabilities alone."
                )
            policy.say((), (YES, NO))  # raises where it has no such words
        bound = replace(self, policy=policy, reference=reference, correction=self.gamma or 0.0)
        if self.by == "implicit" and self.gamma is None and queries:
            moved = [(rewards, query) for query, rewards in bound._rewards(queries) if not _unmoved(rewards, self.beta)]
            differences = [a - b for (a, b), _ in moved]
            longer = [query.a.length - query.b.length for _, query in moved]
            bound = replace(bound, correction=balance(differences, longer))
        return bound

    def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]:
        look = self._by_reward if self.by == "implicit" else self._by_question
        for query, seen in _one_by_one_if_need_be(look, queries):
            facts = {"by": self.by, "config": self._config, **seen.facts} if isinstance(seen, _Look) else {}
            verdict = self._verdict(seen) if isinstance(seen, _Look) else seen
            yield Answer(query, verdict, price=0.0, provenance="self_made", facts=facts)

    @property
    def _config(self) -> str:
        return content_id(self.by, self.beta, self.gamma, self.scale, self.margin, _QUESTION)

    def _followed(self) -> tuple[Policy, Policy]:
        if self.policy is None or self.reference is None:
            raise OracleError(
                "`self` judges by the policy of a round and follows none here: write "
                "`oracle.following(policy, reference)`, as the loop does; it can't judge held-out responses."
            )
        return self.policy, self.reference

    def _verdict(self, seen: _Look) -> Verdict:
        if seen.settled is not None:
            return seen.settled
        if not math.isfinite(seen.difference):
            return Failure(f"the policy's own opinion is not finite: {seen.difference!r}")
        if self.scale is not None:
            return Preference(sigmoid(self.scale * seen.difference if seen.difference else 0.0))
        if abs(seen.difference) <= self.margin:
            return Tie()
        return Preference(float(seen.difference > 0.0))

    def _by_reward(self, queries: Sequence[Query]) -> list[_Look]:
        policy, reference = self._followed()
        looks: list[_Look] = []
        for query, (a, b) in self._rewards(queries):
            difference = a - b - self.correction * (query.a.length - query.b.length)
            facts = {"policy": policy.name, "reference": reference.name, "gamma": self.correction}
            if math.isfinite(difference):
                facts["difference"] = difference
            if _unmoved((a, b), self.beta):
                facts["note"] = "the policy is its reference here, so it has no opinion of its own yet"
                looks.append(_Look(difference, facts, Abstention()))
            else:
                looks.append(_Look(difference, facts))
        return looks

    def _rewards(self, queries: Sequence[Query]) -> list[tuple[Query, tuple[float, float]]]:
        """beta * log pi/pi_ref of both responses of each query."""
        policy, reference = self._followed()
        if policy.name == reference.name:
            return [(query, (0.0, 0.0)) for query in queries]
        prompts = [query.prompt for query in queries for _ in range(2)]
        responses = [response for query in queries for response in (query.a, query.b)]
        ratios = policy.log_probs(prompts, responses).double() - reference.log_probs(prompts, responses).double()
        values: list[float] = (self.beta * ratios).tolist()
        return [(query, (a, b)) for query, a, b in zip(queries, values[::2], values[1::2], strict=True)]

    def _by_question(self, queries: Sequence[Query]) -> list[_Look]:
        policy, _ = self._followed()
        assert isinstance(policy, Says)
        questions = [
            question(query.prompt, first, second)
            for query in queries
            for first, second in ((query.a, query.b), (query.b, query.a))
        ]
        said: list[list[float]] = policy.say(questions, (YES, NO)).double().tolist()
        return [self._heard(policy.name, ab, ba) for ab, ba in zip(said[::2], said[1::2], strict=True)]

    def _heard(self, name: str, ab: Sequence[float], ba: Sequence[float]) -> _Look:
        """What the answers to both orders come to; each is log P(yes), log P(no)."""
        first, second = ab[0] - ab[1], ba[0] - ba[1]
        mass = min(math.exp(yes) + math.exp(no) for yes, no in (ab, ba))
        difference = (first - second) / 2.0
        facts: dict[str, Any] = {"policy": name, "order": "both"}
        if not math.isfinite(difference):
            return _Look(difference, facts)
        facts |= {"logits": [first, second], "said": mass}
        if mass < SAID:
            return _Look(difference, facts | {"note": "the policy would say neither yes nor no"}, Abstention())
        disagree = self.scale is None and first * second > 0.0
        return _Look(difference, facts, Tie() if disagree else None)


def question(prompt: Prompt, first: Response, second: Response) -> Prompt:
    """What the policy is asked about two of its responses."""
    parts = {"{prompt}": prompt.text, "{first}": first.text, "{second}": second.text}
    return Prompt(re.sub(r"\{\w+\}", lambda place: parts[place[0]], _QUESTION))


def balance(differences: Sequence[float], longer: Sequence[int]) -> float:
    """The gamma at which preferred responses are on average as long as the others (reward per token).

    `differences` are of the rewards of `a` and `b` and `longer` of their lengths (tokens). DICE (arXiv 2406.09760)
    searches a grid for argmin over gamma of |mean(|y_preferred| - |y_other|)|. A pair's longer response is preferred
    while gamma is below the pair's reward per token, difference / longer, and counts by its excess of tokens: the sum
    changes its sign at the median of the rewards per token, weighted by |longer|. 0 where all are equally long.
    """
    slopes = sorted((d / n, abs(n)) for d, n in zip(differences, longer, strict=True) if n and math.isfinite(d))
    half, seen = sum(weight for _, weight in slopes) / 2.0, 0
    for slope, weight in slopes:
        seen += weight
        if seen >= half:
            return slope
    return 0.0


def _unmoved(rewards: tuple[float, float], beta: float) -> bool:
    return all(abs(reward) <= beta * UNMOVED for reward in rewards)


def _one_by_one_if_need_be(
    look: Callable[[Sequence[Query]], list[_Look]], queries: Sequence[Query]
) -> Iterator[tuple[Query, _Look | Failure]]:
    """What `look` finds out of all queries at once, or of each alone where one of them can't be read."""
    try:
        yield from zip(queries, look(queries) if queries else [], strict=True)
        return
    except PromptsError as error:
        reason = first_line(error)
    if len(queries) == 1:
        yield queries[0], Failure(reason)
        return
    for query in queries:
        yield from _one_by_one_if_need_be(look, [query])


def itself(
    *,
    by: By = "question",
    beta: float = 0.1,
    gamma: float | None = None,
    scale: float | None = None,
    margin: float = 0.0,
    seed: int = 0,
) -> Itself:
    """Let the policy judge its own responses, by asking it or by its implicit reward."""
    del seed  # nothing is drawn
    return Itself(by, beta, gamma, scale, margin)

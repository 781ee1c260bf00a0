"""One repetition through `boldly.loop.Loop` itself: with its ledger, its selectors and its oracles.

    loop, oracle = single(problem, method, feedback, rounds=200, seed=0)
    for done in boldly.loop.rounds(loop, oracle): ...

It is slower than `boldly.lab.run` and takes any selector. Given the same draws the two give the same iterates.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.draws import place
from boldly.lab.evidence import Rows
from boldly.lab.feedback import Feedback
from boldly.lab.learners.protocol import Evidence, Fit, Setting
from boldly.lab.method import Method
from boldly.lab.problems import Bandit
from boldly.learner import Evidence as LoopEvidence
from boldly.learner import StepReport
from boldly.ledger import Budget, MemoryLedger
from boldly.loop import Loop, Parts, Schedule
from boldly.oracles import Answer, Reward
from boldly.policy import Policy
from boldly.randomness import derive
from boldly.references import REFERENCES
from boldly.samplers import Sampler, policy_and_reference, policy_twice
from boldly.selectors import Pick, View, payable
from boldly.types import Candidates, Comparison, Preference, Prompt, Query, Response, Tie

_SAMPLERS: dict[str, Callable[[], Sampler]] = {"policy": policy_twice, "reference": policy_and_reference}


@dataclass(frozen=True, slots=True)
class ArmPolicy:
    """A table over numbered responses to numbered prompts, as a policy of the loop. `log_pi` in nats."""

    log_pi: Float[Tensor, "prompts responses"]
    length: Float[Tensor, " responses"]
    name: str = "iterate-0"

    def sample(self, prompts: Sequence[Prompt], n: int, *, seed: int) -> list[list[Response]]:
        uniform = torch.rand(len(prompts), n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        law = self.log_pi[[number_of(prompt) for prompt in prompts]]
        drawn = place(law[:, None].expand(-1, n, -1), uniform).tolist()
        return [[self.response(prompt, arm) for arm in row] for prompt, row in zip(prompts, drawn, strict=True)]

    def response(self, prompt: Prompt, arm: int) -> Response:
        """Response number `arm`; its tokens are its number, as many times as it has tokens."""
        log_prob = float(self.log_pi[number_of(prompt), arm])
        return Response(f"response {arm}", (arm,) * int(self.length[arm]), self.name, log_prob, log_prob)

    def log_probs(self, prompts: Sequence[Prompt], responses: Sequence[Response]) -> Float[Tensor, " responses"]:
        return self.log_pi[[number_of(prompt) for prompt in prompts], [each.tokens[0] for each in responses]]

    def features(self, prompts: Sequence[Prompt], responses: Sequence[Response]) -> Float[Tensor, "responses features"]:
        """Which response it is, and nothing of what the responses have in common."""
        arms = torch.tensor([each.tokens[0] for each in responses])
        return torch.nn.functional.one_hot(arms, self.log_pi.shape[-1]).float()

    @property
    def feature_weights(self) -> Float[Tensor, " features"]:
        return torch.ones(self.log_pi.shape[-1])

    def freeze(self, name: str) -> "ArmPolicy":
        return ArmPolicy(self.log_pi.clone(), self.length, name)

    def average(self, other: Policy, weight: float, name: str) -> "ArmPolicy":
        assert isinstance(other, ArmPolicy)
        logits = (1 - weight) * self.log_pi + weight * other.log_pi
        return ArmPolicy(logits.log_softmax(-1), self.length, name)


class MemoryArchive:
    """The iterates of a run as a list, number 0 the base."""

    def __init__(self, base: Policy) -> None:
        self._policies, self._seen = [base], list[list[Candidates]]()

    def __len__(self) -> int:
        return len(self._policies)

    def __getitem__(self, t: int) -> Policy:
        return self._policies[t]

    def keep(
        self,
        policy: Policy,
        *,
        state: Mapping[str, Tensor],
        candidates: Sequence[Candidates],
        facts: Mapping[str, object],
    ) -> None:
        self._policies.append(policy.freeze(policy.name))
        self._seen.append(list(candidates))

    def candidates(self, t: int) -> list[Candidates]:
        return self._seen[t]


@dataclass(slots=True)
class Fitted:
    """A learner of the lab as one of the loop."""

    begun: Fit
    hypotheses: bool = False
    _against: tuple[str, Tensor] | None = field(default=None, init=False)

    def fit(
        self, policy: Policy, reference: Policy, evidence: LoopEvidence, *, name: str, seed: int
    ) -> tuple[Policy, tuple[StepReport, ...]]:
        assert isinstance(policy, ArmPolicy)
        assert isinstance(reference, ArmPolicy)
        bought = Evidence(evidence.round, rows_of(evidence.newest), lambda: rows_of(tuple(evidence.comparisons)))
        if self._against is None or self._against[0] != reference.name:
            self._against = reference.name, reference.log_pi[None]  # one table while it stays, so it is seen to stay
        log_pi = self.begun(policy.log_pi[None], self._against[1], bought)
        return ArmPolicy(log_pi[0], policy.length, name), ()

    def state(self) -> Mapping[str, Tensor]:
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Nothing: what an exact learner remembers it can read from the ledger."""


@dataclass(frozen=True, slots=True)
class FeedbackOracle:
    """A feedback law as an oracle of the loop; a draw depends on the seed and the query's id alone."""

    problem: Bandit
    feedback: Feedback
    seed: int
    name: str = "lab"

    @property
    def reward(self) -> Reward:
        return lambda prompt, response: float(self.problem.reward[number_of(prompt), response.tokens[0]])

    def bound(self, query: Query) -> float:
        return 0.0

    def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]:
        for query in queries:
            prompt, a, b = (
                torch.tensor([[n]]) for n in (number_of(query.prompt), query.a.tokens[0], query.b.tokens[0])
            )
            uniform = random.Random(derive(self.seed, "label", query.id)).random()
            label = float(self.feedback(self.problem, prompt, a, b, torch.tensor([[uniform]], dtype=torch.float64)))
            yield Answer(query, Tie() if label == 0.5 else Preference(label))


def single(
    problem: Bandit,
    method: Method,
    feedback: Feedback,
    *,
    rounds: int,
    seed: int,
    labels_per_round: int = 1,
    selector: Callable[[View, int], list[Pick]] | None = None,
    sampler: Sampler | None = None,
) -> tuple[Loop, FeedbackOracle]:
    """The loop of `method` on one instance, and the oracle to turn it with.

    `sampler` is the method's own if not given, and `selector` takes the first pair of every prompt, equal ones too, as
    the theory has it; with a selector of `boldly.selectors` equal pairs are never bought.

    Raises `InvalidInput` for a problem of several instances, and for a second sampler that the loop has no name for.
    """
    if problem.log_reference.dim() != 2:
        raise InvalidInput(f"the problem holds {problem.log_reference.shape[0]} instances: give `single` one of them.")
    if sampler is None and method.second not in _SAMPLERS:
        raise InvalidInput(
            f"the loop of language models has no sampler for second={method.second!r}; there are "
            f"{', '.join(sorted(_SAMPLERS))}: use `boldly.lab.run`."
        )
    setting = Setting(problem, method.objective, (seed,))
    base = ArmPolicy(problem.log_reference, problem.length)
    parts = Parts(
        sampler=sampler or _SAMPLERS[method.second](),
        selector=selector or _first_of_each,
        reference=REFERENCES[method.reference],
        learner=Fitted(method.learner.begin(setting)),
        payable=payable if selector else _every_pair,
    )
    loop = Loop(
        policy=base,
        prompts=[Prompt(str(i)) for i in range(problem.prompts)],
        parts=parts,
        ledger=MemoryLedger(),
        archive=MemoryArchive(base),
        budget=Budget(rounds * labels_per_round),
        schedule=Schedule(labels_per_round=labels_per_round),
        seed=seed,
    )
    return loop, FeedbackOracle(problem, feedback, seed)


def number_of(prompt: Prompt) -> int:
    """The number of a prompt that `single` made."""
    return int(prompt.text)


def rows_of(comparisons: Sequence[Comparison]) -> Rows:
    """Comparisons of numbered responses as rows of one repetition."""
    numbers = [[number_of(c.query.prompt), c.query.a.tokens[0], c.query.b.tokens[0]] for c in comparisons]
    prompt, a, b = torch.tensor(numbers).T[:, None]
    label, weight = torch.tensor([[c.label, c.weight] for c in comparisons], dtype=torch.float64).T[:, None]
    return Rows(prompt, a, b, label, weight)


def _first_of_each(view: View, count: int) -> list[Pick]:
    return [Pick(i, 0, 1) for i in range(len(view.candidates))][:count]


def _every_pair(candidates: Candidates) -> list[tuple[int, int]]:
    return list(combinations(range(len(candidates.responses)), 2))

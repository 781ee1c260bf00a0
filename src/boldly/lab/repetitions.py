"""All repetitions of a method on a problem at once, turned by the loop that trains language models.

for turn in boldly.loop.rounds(Repetitions(...), feedback): ...
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from boldly.errors import InvalidInput
from boldly.lab.draws import Draws, Streams, place
from boldly.lab.evidence import Rows
from boldly.lab.feedback import Feedback
from boldly.lab.learners.protocol import Evidence, Fit, Setting
from boldly.lab.method import Method, rowwise
from boldly.lab.problems import Bandit
from boldly.lab.problems.checks import TOLERANCE
from boldly.lab.purchases import Purchases
from boldly.lab.second import SECOND, Past
from boldly.lab.table import Iterates, Table
from boldly.references import REFERENCES

LogLaw = Float[Tensor, "repetitions prompts responses"]


@dataclass(frozen=True, slots=True)
class Queries:
    """The pairs of one round, by number, that wait for their labels."""

    prompt: Int[Tensor, "repetitions rows"]
    a: Int[Tensor, "repetitions rows"]
    b: Int[Tensor, "repetitions rows"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What happened in one round: what was bought, and the policy that it ended with. `labels` counts all so far."""

    number: int
    labels: int
    policy: LogLaw
    reference: LogLaw
    rows: Rows


@dataclass(slots=True)
class Repetitions:
    """Algorithm 1 with every step taken in all repetitions at once: `ask`, `buy`, `fit`.

    Each repetition has a seed, and what it draws and learns depends on that seed alone. Identical pairs are bought too,
    as the theory has it.

    Raises `InvalidInput` for rounds, labels or seeds below 1, for a problem that is no `Bandit` or holds another number
    of instances than there are seeds, and for a learner that returns no law.
    """

    problem: Bandit
    method: Method
    rounds: int
    seeds: Sequence[int]
    labels_per_round: int = 1
    draws: Draws | None = None
    t: int = field(default=0, init=False)
    policy: LogLaw = field(init=False)
    _previous: LogLaw = field(init=False)
    _sum: LogLaw = field(init=False)
    _setting: Setting = field(init=False)
    _fit: Fit = field(init=False)
    _iterates: Iterates = field(init=False)
    _purchases: Purchases = field(init=False)
    _queries: Queries | None = field(default=None, init=False)
    _newest: Rows | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        require_bandit(self.problem)
        require_seeds(self.seeds)
        for name, value in (("rounds", self.rounds), ("labels_per_round", self.labels_per_round)):
            if value < 1:
                raise InvalidInput(f"{name} is {value}, but nothing is learned from fewer than 1: write `{name}=100`.")
        instances = tuple(self.problem.log_reference.shape[:-2])
        if instances not in ((), (1,), (len(self.seeds),)):
            raise InvalidInput(
                f"the problem holds {instances} instances and there are {len(self.seeds)} seeds: give one instance "
                "for all, or one for each seed."
            )
        self._setting = Setting(self.problem, rowwise(self.method.objective), tuple(self.seeds))
        self._fit = self.method.learner.begin(self._setting)
        base = self._setting.log_reference
        self.policy = self._previous = base
        self._sum = base.exp()
        self._iterates = Iterates(Table(base, "iterate-0"), keep=self.method.reference == "moving_average")
        self._purchases = Purchases(
            repetitions=len(self.seeds),
            prompts=self.problem.prompts,
            responses=self.problem.responses,
            most=self.rounds * self.labels_per_round,
        )
        if self.draws is None:
            self.draws = Streams(self.seeds, rounds=self.rounds, rows=self.labels_per_round)

    @property
    def left(self) -> int:
        """How many labels each repetition may still buy in this round."""
        return self.labels_per_round if self.t < self.rounds else 0

    @property
    def asked(self) -> bool:
        return self._queries is not None

    @property
    def labelled(self) -> bool:
        return self.asked

    @property
    def reference(self) -> LogLaw:
        """log pi_ref of the round that is going on."""
        found = REFERENCES[self.method.reference](self.t, self._iterates)
        assert isinstance(found, Table)
        return found.log_pi

    def ask(self) -> Queries:
        """The pairs of this round: `a` from the policy, `b` from the second sampler, to prompts of their law."""
        if self._queries is None:
            assert self.draws is not None
            draw = self.draws(self.t)
            law = self.problem.prompt_law.log().expand(*draw.prompt.shape, -1)
            prompt = place(law, draw.prompt)
            past = Past(self.reference, self.policy, self._previous, (self._sum / (self.t + 1)).log())
            first, second = self.policy, SECOND[self.method.second](past)
            self._queries = Queries(prompt, place(_of(first, prompt), draw.a), place(_of(second, prompt), draw.b))
        return self._queries

    def buy(self, queries: Queries, oracle: Feedback, /) -> None:
        """Label the pairs and add them to what was bought."""
        assert self.draws is not None
        label = oracle(self.problem, queries.prompt, queries.a, queries.b, self.draws(self.t).label)
        self._newest = Rows(queries.prompt, queries.a, queries.b, label, torch.ones_like(label))
        self._purchases.add(self._newest)

    def fit(self) -> Turn:
        """Fit the policies of all repetitions to the labels of every round, and go on to the next one.

        Raises `InvalidInput` where nothing was bought in this round.
        """
        if self._newest is None:
            raise InvalidInput(f"round {self.t} has not one label: `ask` for its queries and `buy` their labels first.")
        reference, rows = self.reference, self._newest
        evidence = Evidence(self.t, rows, self._purchases.rows)
        policy = self._fit(self.policy, reference, evidence)
        self._require_law(policy)
        self._previous, self.policy = self.policy, policy
        self._sum = self._sum + policy.exp()
        self._iterates.keep(Table(policy, f"iterate-{self.t + 1}"))
        self.t, self._queries, self._newest = self.t + 1, None, None
        return Turn(self.t - 1, self.t * self.labels_per_round, policy, reference, rows)

    def _require_law(self, policy: Tensor) -> None:
        """Raises `InvalidInput` where what the learner returned is no law: everything later would rest on it."""
        fits = policy.shape == self.policy.shape
        whole = policy.logsumexp(-1).abs().flatten(1).amax(-1) <= TOLERANCE if fits else torch.zeros(1)
        if not bool(whole.all()):
            found = f"sums to {float(policy[whole.int().argmin()].exp().sum(-1)[0])!r}" if fits else f"{policy.shape}"
            raise InvalidInput(
                f"the learner of `{self.method.name}` returned no log-probabilities in round {self.t}, repetition "
                f"{int(whole.int().argmin())} ({found}): return log pi of the shape {tuple(self.policy.shape)}, "
                "`logits.log_softmax(-1)`."
            )


def require_bandit(problem: object) -> None:
    """Raises `InvalidInput` for a problem that has to be enumerated first."""
    if not isinstance(problem, Bandit):
        raise InvalidInput(
            f"the loop takes a Bandit and was given a {type(problem).__name__}: give its `.bandit()`; for a game add "
            "`Feedback(matrix(game.preference))`."
        )


def require_seeds(seeds: object) -> None:
    """Raises `InvalidInput` for no seeds, and for a number of them in their place."""
    if not isinstance(seeds, Sequence) or not seeds:
        raise InvalidInput(f"seeds is {seeds!r}, but every repetition needs one of its own: write `seeds=range(100)`.")


def _of(law: LogLaw, prompt: Int[Tensor, "repetitions rows"]) -> Float[Tensor, "repetitions rows responses"]:
    return law[torch.arange(law.shape[0])[:, None], prompt] if law.shape[1] > 1 else law.expand(-1, prompt.shape[1], -1)

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# torch leaves these unannotated.
"""How the queries of a round are drawn: sampled and selected, or chosen from a record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from boldly.beliefs import Beliefs
from boldly.errors import InvalidInput
from boldly.hypotheses import Hypotheses
from boldly.learner import Learner
from boldly.ledger.history import History
from boldly.ledger.scores import Scores
from boldly.policy import Policy
from boldly.randomness import derive
from boldly.references import Reference
from boldly.samplers import Sampler
from boldly.selectors import Pick, View, payable
from boldly.types import Candidates, Prompt, Query

Pool = Callable[[Sequence[Query]], Sequence[Candidates]]
"""The recorded pairs that none of the given queries has asked for."""


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
    """How much happens in a round: labels, prompts sampled for each of them, rounds of candidates kept in the pool.

    With `ahead` the queries of that many further rounds are there while a round is labelled and learned from, so that
    nobody who labels waits for the learner: round s is drawn by iterate max(0, s - ahead), with its reference and by
    the labels it had. Raises `InvalidInput` for an `ahead` below 0.
    """

    labels_per_round: int = 16
    prompts_per_label: int = 1
    window: int = 16
    ahead: int = 0

    def __post_init__(self) -> None:
        if self.ahead < 0:
            raise InvalidInput(
                f"ahead is {self.ahead}, but a round can't be drawn after it was asked: write `ahead=0`."
            )

    @property
    def size(self) -> int:
        """The prompts of a round."""
        return self.labels_per_round * self.prompts_per_label

    def drawn_by(self, number: int) -> int:
        """The number of the iterate that draws a round: the labels of the rounds below that number are known then."""
        return max(0, number - self.ahead)


@dataclass(frozen=True, slots=True)
class Drawing:
    """Round `number` as it is drawn by a policy and its reference, from the labels of the rounds below `known`.

    Nothing else goes into it but the queries of the rounds before and counters, so that whoever draws the round again
    draws the same.
    """

    number: int
    known: int
    policy: Policy
    reference: Policy
    prompts: Sequence[Prompt]
    parts: Parts
    schedule: Schedule
    history: History
    seed: int
    beliefs: Beliefs | None

    def candidates(self) -> list[Candidates]:
        """The responses to the prompts of the round."""
        return self._sample(self._prompts(), extra=0)

    def select(self, candidates: list[Candidates], count: int) -> list[Query]:
        """`count` queries; where the round's prompts hold fewer payable pairs, from up to three further draws."""
        queries = self._queries(candidates, count, extra=0)
        for extra in range(1, 4):
            if len(queries) < count:
                more = self._queries(self._sample(self._further_prompts(extra), extra), count - len(queries), extra)
                queries += [_at_place(query, len(queries) + i) for i, query in enumerate(more)]
        return queries

    def choose(self, pool: Pool, count: int) -> list[Query]:
        """`count` queries about recorded pairs, chosen as sampled ones are; the reference draws what to explore."""
        left = pool(self.history.asked(before=self.number))
        generator = torch.Generator().manual_seed(derive(self.seed, "round", self.number, "pool"))
        order = torch.randperm(len(left), generator=generator).tolist()
        queries: list[Query] = []
        for extra, start in enumerate(range(0, len(order), self.schedule.size), start=1):
            if len(queries) < count:
                candidates = [left[i] for i in order[start : start + self.schedule.size]]
                more = self._queries(candidates, count - len(queries), extra)
                queries += [_at_place(query, len(queries) + i) for i, query in enumerate(more)]
        seed = derive(self.seed, "round", self.number, "explore")
        drawn = self.reference.sample([query.prompt for query in queries], 1, seed=seed) if queries else []
        return [replace(query, explore=explore) for query, (explore,) in zip(queries, drawn, strict=True)]

    def _sample(self, prompts: Sequence[Prompt], extra: int) -> list[Candidates]:
        seed = derive(self.seed, "round", self.number, "sample", extra)
        return self.parts.sampler(self.policy, self.reference, prompts, seed=seed)

    def _queries(self, candidates: list[Candidates], count: int, extra: int) -> list[Query]:
        picks = self.parts.selector(self._view(candidates, extra), count)[:count]
        self._check(picks, candidates)
        reference = self.reference.name
        return [_query(candidates[pick.candidates], pick, self.number, i, reference) for i, pick in enumerate(picks)]

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
        beliefs = self.beliefs
        flat = [(c.prompt, response) for c in candidates for response in c.responses]
        sizes = [len(c.responses) for c in candidates]

        def log_ratios() -> list[Tensor]:
            prompts, responses = [prompt for prompt, _ in flat], [response for _, response in flat]
            scores = Scores(self.history.ledger)
            ratios = scores(self.policy, prompts, responses) - scores(self.reference, prompts, responses)
            return list(ratios.split(sizes))

        def features() -> list[Tensor]:
            assert beliefs is not None
            rows = beliefs.describe(candidates) if extra else beliefs.features(self.number)
            return list(rows.split(sizes))

        return View(
            candidates,
            seed=derive(self.seed, "round", self.number, "select", extra),
            labels=self.history.count(before=self.known),
            read_log_ratios=log_ratios,
            read_features=features,
            hypotheses=beliefs.ensemble(before=self.known) if beliefs else None,
            bought=beliefs.bought(before=self.number) if beliefs else None,
        )

    def _prompts(self) -> list[Prompt]:
        """The prompts of the round: the next ones of a sequence that is shuffled anew in every pass."""
        size, n = self.schedule.size, len(self.prompts)
        order: dict[int, list[int]] = {}
        chosen: list[Prompt] = []
        for position in range(self.number * size, (self.number + 1) * size):
            epoch, place = divmod(position, n)
            if epoch not in order:
                generator = torch.Generator().manual_seed(derive(self.seed, "prompts", epoch))
                order[epoch] = torch.randperm(n, generator=generator).tolist()
            chosen.append(self.prompts[order[epoch][place]])
        return chosen

    def _further_prompts(self, extra: int) -> list[Prompt]:
        generator = torch.Generator().manual_seed(derive(self.seed, "round", self.number, "prompts", extra))
        places = torch.randint(len(self.prompts), (self.schedule.size,), generator=generator).tolist()
        return [self.prompts[i] for i in places]


def _query(candidates: Candidates, pick: Pick, t: int, place: int, reference: str) -> Query:
    a, b = candidates.responses[pick.a], candidates.responses[pick.b]
    explore = next((response for response in (b, a, *candidates.responses) if response.origin == reference), None)
    return Query(candidates.prompt, a, b, t, place, explore)


def _at_place(query: Query, place: int) -> Query:
    return Query(query.prompt, query.a, query.b, query.round, place, query.explore)

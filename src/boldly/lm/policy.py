"""A language model as the loop sees it: a policy, live or frozen."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Float
from peft import PeftModel
from torch import Tensor

from boldly.lm.encode import decode, encode
from boldly.lm.engines import engine
from boldly.lm.features import Features, features, weights
from boldly.lm.memory import micro_batch, within_memory
from boldly.lm.model import Generation, LanguageModel
from boldly.lm.network import still
from boldly.lm.pack import Group, group
from boldly.lm.sampling import Drawn, Voice
from boldly.lm.sampling.stop import before
from boldly.lm.say import beginnings
from boldly.lm.score import log_probs
from boldly.lm.weights import AdapterWeights, averaged, taken, worn
from boldly.policy import Policy
from boldly.types import Prompt, Response

T = TypeVar("T")

_WHAT = "one prompt with its responses"


@dataclass(frozen=True, slots=True, eq=False)
class LMPolicy:
    """A language model under a name.

    The live policy is whatever `lm.module` is now. A frozen one either has a module of its own, or an `adapter` that is
    put on the shared module while it is used. Results are on the CPU and carry no gradient; the learner differentiates
    `boldly.lm.score` itself.
    """

    name: str
    lm: LanguageModel
    generation: Generation
    frozen: bool = False
    adapter: AdapterWeights | None = None

    def sample(self, prompts: Sequence[Prompt], n: int, *, seed: int) -> list[list[Response]]:
        """Draw `n` responses to each prompt (see `boldly.lm.sampling.sample`); equal seeds give equal draws."""
        (drawn,) = _drawn([(self, n, seed)], prompts)
        return drawn

    def sample_beside(
        self, other: Policy, prompts: Sequence[Prompt], n: tuple[int, int], *, seeds: tuple[int, int]
    ) -> tuple[list[list[Response]], list[list[Response]]]:
        """What `sample` of this policy and of the other give, their rows side by side where the engine can."""
        assert isinstance(other, LMPolicy)
        own, others = _drawn([(self, n[0], seeds[0]), (other, n[1], seeds[1])], prompts)
        return own, others

    def log_probs(self, prompts: Sequence[Prompt], responses: Sequence[Response]) -> Float[Tensor, " responses"]:
        """log pi(response | prompt) in nats, at temperature 1; a prompt that is repeated in a row is read once."""
        groups = self.groups(prompts, responses)
        with self.in_place(), torch.no_grad(), still(self.lm.module):
            return self._within_memory(lambda n: log_probs(self.lm, groups, batch_tokens=n)).cpu()

    def say(self, questions: Sequence[Prompt], answers: Sequence[Sequence[str]]) -> Float[Tensor, "questions answers"]:
        """log of the probability that the response to a question begins with a spelling of each answer (nats)."""
        tokens = [encode(self.lm, question) for question in questions]
        with self.in_place(), torch.no_grad(), still(self.lm.module):
            return self._within_memory(lambda n: beginnings(self.lm, tokens, answers, batch_tokens=n)).cpu()

    def features(self, prompts: Sequence[Prompt], responses: Sequence[Response]) -> Float[Tensor, "responses features"]:
        """What a small reward model may see of each response (see `boldly.lm.features`)."""
        return self.describe(prompts, responses).values

    @property
    def feature_weights(self) -> Float[Tensor, " features"]:
        """See `boldly.lm.features.weights`."""
        return weights(self.lm)

    def describe(self, prompts: Sequence[Prompt], responses: Sequence[Response]) -> Features:
        """Features and log-probabilities of each response, from one pass."""
        groups = self.groups(prompts, responses)
        with self.in_place():
            found = self._within_memory(lambda n: features(self.lm, groups, batch_tokens=n))
        return Features(found.values.cpu(), found.log_probs.cpu())

    def _within_memory(self, work: Callable[[int], T]) -> T:
        return within_memory(work, min(self.generation.batch_tokens, micro_batch(self.lm.device)), what=_WHAT)

    def freeze(self, name: str) -> "LMPolicy":
        """A copy under `name` that never changes: of the adapter where there is one, else of the module."""
        if self.frozen:
            return self.renamed(name)
        if isinstance(self.lm.module, PeftModel):
            return replace(self, name=name, frozen=True, adapter=taken(self.lm.module))
        module = deepcopy(self.lm.module).requires_grad_(False).eval()
        return replace(self, name=name, frozen=True, lm=replace(self.lm, module=module))

    @torch.no_grad()
    def average(self, other: Policy, weight: float, name: str) -> "LMPolicy":
        """The frozen policy whose parameters are (1 - weight) * own + weight * other's; of an adapter, its factors."""
        assert isinstance(other, LMPolicy)
        mine, theirs = self.freeze(name), other.freeze(name)
        if mine.adapter is not None and theirs.adapter is not None:
            return replace(mine, adapter=averaged(mine.adapter, theirs.adapter, weight))
        module = deepcopy(mine.lm.module)
        for own, their in zip(module.parameters(), theirs.lm.module.parameters(), strict=True):
            own.lerp_(their, weight)
        return replace(mine, lm=replace(mine.lm, module=module))

    def groups(self, prompts: Sequence[Prompt], responses: Sequence[Response]) -> list[Group]:
        """`responses` by prompt, as tokens: a group for each run of equal prompts."""
        known = {prompt.content: encode(self.lm, prompt) for prompt in dict.fromkeys(prompts)}
        return group((known[prompt.content] for prompt in prompts), (response.tokens for response in responses))

    def renamed(self, name: str) -> "LMPolicy":
        """The same weights under another name: what a live policy gets when it has learned."""
        return replace(self, name=name)

    @contextmanager
    def training(self) -> Iterator[None]:
        """A live policy's module in training mode, as gradient checkpointing needs it; in evaluation mode after."""
        assert not self.frozen, f"{self.name} is frozen and never changes"
        self.lm.module.train()
        try:
            yield
        finally:
            self.lm.module.eval()

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """`lm.module` with this policy's weights in it."""
        if self.adapter is None:
            yield
        else:
            assert isinstance(self.lm.module, PeftModel)
            with worn(self.lm.module, self.adapter):
                yield


def _drawn(requests: Sequence[tuple[LMPolicy, int, int]], prompts: Sequence[Prompt]) -> list[list[list[Response]]]:
    """For each policy, how many responses, and seed: the responses to each prompt."""
    first = requests[0][0]
    tokens = [encode(first.lm, prompt) for prompt in prompts]

    def draw(batch_tokens: int) -> list[list[list[Drawn]]]:
        voices = [
            Voice(policy.lm, n, torch.Generator().manual_seed(seed), policy.in_place) for policy, n, seed in requests
        ]
        generation = replace(first.generation, batch_tokens=batch_tokens)
        return engine(generation.engine)(voices, tokens, generation=generation)

    drawn = within_memory(draw, first.generation.batch_tokens, what=_WHAT)
    return [
        [[_response(policy, response, first.generation.stop) for response in responses] for responses in own]
        for (policy, _, _), own in zip(requests, drawn, strict=True)
    ]


def _response(policy: LMPolicy, drawn: Drawn, stop: Sequence[str]) -> Response:
    text = before(decode(policy.lm, drawn.tokens), stop)
    return Response(text, drawn.tokens, policy.name, drawn.log_prob, drawn.sampled_log_prob, drawn.ended)

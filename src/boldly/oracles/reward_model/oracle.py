"""The oracle of a reward model: two scores, and the verdict that they make."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from boldly.errors import OracleError
from boldly.oracles.bradley_terry import sigmoid
from boldly.oracles.protocol import Answer, Reward
from boldly.oracles.reward_model.load import Loaded, load
from boldly.oracles.reward_model.score import scores
from boldly.oracles.reward_model.texts import Reader
from boldly.oracles.verdicts import compared, first_line
from boldly.pretrained import Dtype
from boldly.types import Failure, Preference, Prompt, Query, Response, Tie, Verdict, content_id

Pair = tuple[Prompt, Response]


class RewardModel:
    """Scores both responses with a sequence classifier of one output, r(x, y), and compares them.

    The texts are told through the reward model's own chat template and tokens (see `texts.Reader`), never through the
    policy's tokens. `scale` None says that the higher score wins, so nothing hangs on the scale of a model's scores,
    which few publish; `scale` s says p = sigmoid(s (r(x, a) - r(x, b))), which with s = 1 is what a reward model that
    was trained on the Bradley-Terry loss believes. Equal scores tie either way, and equal texts have equal scores.

    A text of more than `max_length` tokens has failed, not been cut: which half of it to believe is not for an oracle
    to choose. So has one whose score is not finite. Scores are kept, so a response is scored once in a process.

    Raises `OracleError` for a model whose scores would mean nothing, when it is made: see `load.load` and `_try_out`.
    """

    def __init__(
        self,
        model: str,
        *,
        text: str | None = None,
        scale: float | None = None,
        max_length: int | None = None,
        batch_tokens: int = 16384,
        device: str = "auto",
        dtype: Dtype = "auto",
        price: float = 0.0,
    ) -> None:
        self._loaded = load(model, device=device, dtype=dtype)
        self._reader = Reader(self._loaded.tokenizer, text)
        self._scale, self._batch_tokens, self._price = scale, batch_tokens, price
        self._longest = min((n for n in (max_length, self._loaded.context) if n is not None), default=None)
        self._name = f"reward_model:{model}"
        self._config = content_id(self._loaded.digest, text, scale, self._longest, str(self._loaded.module.dtype))
        self._known: dict[tuple[str, str], float | str] = {}
        _try_out(model, self._loaded, self._reader, self._longest)

    @property
    def name(self) -> str:
        return self._name

    def bound(self, query: Query) -> float:
        return self._price

    @property
    def reward(self) -> Reward:
        """r(x, y) of one response, kept; `prepare` scores many at once first. Raises `ValueError` where there is none.

        Not finite is returned as it is.
        """
        return self._one

    def prepare(self, prompts: Sequence[Prompt], responses: Sequence[Response]) -> None:
        """Score these responses in batches, so that `reward` has them; what went wrong with one is raised there."""
        self._score(list(zip(prompts, responses, strict=True)))

    def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]:
        self._score([(query.prompt, response) for query in queries for response in (query.a, query.b)])
        for query in queries:
            yield self._answer(query)

    def _answer(self, query: Query) -> Answer:
        said = {side: self._known[_key(query.prompt, y)] for side, y in (("a", query.a), ("b", query.b))}
        facts: dict[str, Any] = {"config": self._config}
        for side, score in said.items():
            if isinstance(score, str):
                return Answer(query, Failure(f"no score for {side}: {score}"), price=0.0, facts=facts)
            if math.isfinite(score):
                facts[f"score_{side}"] = score
        return Answer(query, self._verdict(said["a"], said["b"]), price=self._price, facts=facts)

    def _verdict(self, a: Any, b: Any) -> Verdict:
        verdict = compared(a, b)
        if self._scale is None or isinstance(verdict, Failure | Tie):
            return verdict
        return Preference(sigmoid(self._scale * (a - b)))

    def _one(self, prompt: Prompt, response: Response) -> float:
        self._score([(prompt, response)])
        score = self._known[_key(prompt, response)]
        if isinstance(score, str):
            raise ValueError(f"no score: {score}")
        return score

    def _score(self, pairs: Sequence[Pair]) -> None:
        """Score what has no score yet, each text once."""
        rows: dict[tuple[str, str], tuple[int, ...]] = {}
        for prompt, response in pairs:
            key = _key(prompt, response)
            if key in self._known or key in rows:
                continue
            try:
                tokens = self._reader.tokens(prompt, response)
            except Exception as error:
                self._known[key] = f"the chat template refuses the text: {first_line(error)}"
                continue
            if wrong := _unreadable(tokens, self._longest):
                self._known[key] = wrong
            else:
                rows[key] = tokens
        said = scores(self._loaded, list(rows.values()), batch_tokens=self._batch_tokens)
        self._known.update(zip(rows, said, strict=True))


def _key(prompt: Prompt, response: Response) -> tuple[str, str]:
    return prompt.id, response.text


def _unreadable(tokens: Sequence[int], longest: int | None) -> str | None:
    if not tokens:
        return "prompt and response have no tokens"
    if longest is not None and len(tokens) > longest:
        return f"prompt and response have {len(tokens)} tokens, and the reward model reads {longest}"
    return None


def _try_out(model: str, loaded: Loaded, reader: Reader, longest: int | None) -> None:
    """Refuse a model that raises at a plain question, ignores the answer, or whose scores depend on the padding."""
    prompt = Prompt("1 + 1 ?")
    answers = [Response(text, (), "", 0.0, 0.0) for text in ("2", "it is 3 , I think")]
    try:
        rows = [reader.tokens(prompt, answer) for answer in answers]
    except Exception as error:
        raise OracleError(
            f"the chat template of {model} can't write a question and its answer ({first_line(error)}): write `text: "
            f'"{{prompt}} {{response}}"` in its place, in the words that the reward model was trained on.'
        ) from error
    if rows[0] == rows[1]:
        raise OracleError(
            f"the chat template of {model} leaves the answer out, so all would score the same: write `text: "
            f'"{{prompt}} {{response}}"` in its place, in the words that the reward model was trained on.'
        )
    if wrong := next(filter(None, (_unreadable(row, longest) for row in rows)), None):
        raise OracleError(
            f"{model} can't read so much as `1 + 1 ?` with an answer ({wrong}): write a longer `max_length`."
        )
    alone = [score for row in rows for score in scores(loaded, [row], batch_tokens=1)]
    together = scores(loaded, rows, batch_tokens=sum(map(len, rows)) * 2)
    tolerance = 1e-3 if loaded.module.dtype.itemsize >= 4 else 3e-2
    for one, other in zip(alone, together, strict=True):
        if isinstance(one, str) or isinstance(other, str) or not math.isfinite(one):
            raise OracleError(
                f"{model} gives no score for a plain question and answer (alone {one}, with another {other}): "
                f"write `dtype: float32`, or take another reward model."
            )
        if abs(one - other) > tolerance * max(1.0, abs(one)):
            raise OracleError(
                f"{model} scores a text {one:.4g} alone and {other:.4g} beside a longer one, so its scores depend on "
                f"the padding: set `pad_token_id` in its config.json to the token that it was padded with in training."
            )


def reward_model(
    *,
    model: str,
    text: str | None = None,
    scale: float | None = None,
    max_length: int | None = None,
    batch_tokens: int = 16384,
    device: str = "auto",
    dtype: Dtype = "auto",
    price: float = 0.0,
    seed: int = 0,
) -> RewardModel:
    """Compare responses by the scores of the reward model in the directory `model`."""
    del seed  # scores have no randomness
    return RewardModel(
        model,
        text=text,
        scale=scale,
        max_length=max_length,
        batch_tokens=batch_tokens,
        device=device,
        dtype=dtype,
        price=price,
    )

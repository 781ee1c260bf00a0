"""Two finished models on the same prompts: their answers are drawn, and put up in pairs for somebody to judge."""

import gc
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import torch

from boldly.config.building import build_oracle
from boldly.config.comparing import ANSWERS_FILE, Begun, ComparisonConfig, save_comparison, writing
from boldly.config.finished import Found
from boldly.config.locations import LEDGER_FILE
from boldly.errors import PromptsError
from boldly.ledger import Budget
from boldly.ledger.sql import SqlLedger
from boldly.lm.encode import encode
from boldly.lm.finished import check_finished, load_finished
from boldly.lm.model import Generation
from boldly.lm.policy import LMPolicy
from boldly.metrics.answers import Side, append_answers, origin_of, read_answers
from boldly.oracles import answer
from boldly.randomness import derive
from boldly.types import Prompt, Query, Response

CHUNK = 32
"""Answers that are drawn and kept together: what a process that is killed may have to draw again."""

_THREADS = torch.get_num_threads()

Tell = Callable[[str], None]


def draw(folder: Path, begun: Begun, a: Found, b: Found, tell: Tell) -> None:
    """Draw what is missing of a comparison's answers, one model after the other, and put up the pairs that differ.

    Each chunk of answers is durable before the next is drawn, and none is drawn twice. `tell` hears how far it is.
    Raises `ModelError` for a model that can't be used, `PromptsError` for prompts that don't fit into one,
    `StorageError` where the directory can't be written or another process is at it.
    """
    config = begun.config
    prompts = begun.prompts[: config.labels]
    for found in (a, b):
        check_finished(found.source, base=found.base)
    with writing(folder, begun):
        _draw_side(folder, begun, "a", a, tell)
        _draw_side(folder, begun, "b", b, tell)
        answers = read_answers(folder / ANSWERS_FILE)
        with closing(SqlLedger(folder / LEDGER_FILE, exclusive=False)) as ledger:
            ledger.ask(pairs(prompts, answers["a"], answers["b"], seed=config.seed))
        save_comparison(folder, config.model_copy(update={"drawn": config.labels}))


def pairs(prompts: Sequence[Prompt], a: Sequence[Response], b: Sequence[Response], *, seed: int) -> list[Query]:
    """A query for each prompt that the models answer differently; which of them is the query's `a` is drawn by lot."""
    return [
        Query(prompt, *((one, other) if _straight(seed, prompt) else (other, one)), 0, place, account="evaluation")
        for place, (prompt, one, other) in enumerate(zip(prompts, a, b, strict=False))
        if one.text != other.text
    ]


def _straight(seed: int, prompt: Prompt) -> bool:
    return derive(seed, "compare", "sides", prompt.id) % 2 == 0


def _draw_side(folder: Path, begun: Begun, side: Side, found: Found, tell: Tell) -> None:
    config, path = begun.config, folder / ANSWERS_FILE
    done, wanted = len(read_answers(path)[side]), config.labels
    if done >= wanted:
        return
    tell(f"{found.name} is being loaded")
    policy = _policy(begun, side, found)
    prompts = begun.prompts[:wanted]
    _check(policy, found.name, prompts[done:])
    while done < wanted:
        some = prompts[done : done + CHUNK]
        seed = derive(config.seed, "compare", side, done)
        append_answers(path, side, done, [drawn for (drawn,) in policy.sample(some, 1, seed=seed)])
        done += len(some)
        tell(f"{found.name} has answered {done} of {wanted} prompts")
    del policy
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def judge(folder: Path, config: ComparisonConfig) -> None:
    """Have the pairs judged by an oracle that isn't people, as far as the budget reaches; what is judged already stays.

    Raises as `boldly.oracles.answer` does; every label that came before is kept.
    """
    oracle = build_oracle(config.oracle)
    with closing(SqlLedger(folder / LEDGER_FILE)) as ledger:
        ledger.abandon()
        waiting = [query for query in ledger.waiting(0, "evaluation") if query.place < config.labels]
        budget = Budget(len(waiting) + ledger.spent("evaluation").labels, config.money)
        deque(answer(ledger, oracle, waiting, budget=budget), maxlen=0)


def _policy(begun: Begun, side: Side, found: Found) -> LMPolicy:
    """A model as it answers: what its run says of its numbers and of chats holds here too."""
    torch.set_num_threads(1 if found.bundled else _THREADS)
    lm = load_finished(
        found.source,
        base=found.base,
        dtype=found.config.dtype if found.config else "auto",
        chat=found.config.chat if found.config else "auto",
    )
    own = begun.config
    generation = Generation(max_tokens=own.max_tokens, temperature=own.temperature, stop=tuple(own.stop))
    return LMPolicy(origin_of(side, found.name), lm, generation)


def _check(policy: LMPolicy, model: str, prompts: Sequence[Prompt]) -> None:
    """Raise `PromptsError` for a prompt that leaves less room for an answer in one model than in the other."""
    context, limit = policy.lm.context, policy.generation.max_tokens
    for prompt in prompts:
        try:
            length = len(encode(policy.lm, prompt))
        except PromptsError as error:
            raise PromptsError(f"{model} can't answer every prompt: {error}") from error
        if length + limit > context:
            fits = f" or write `--max-tokens {context - length}`" if length < context else ""
            raise PromptsError(
                f"the prompt that begins {prompt.text[:60]!r} has {length} tokens, and {model} reads {context}, its "
                f"answer of up to {limit} included: remove the prompt{fits}."
            )

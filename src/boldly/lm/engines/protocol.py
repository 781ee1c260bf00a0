"""The protocol of engines, and which engine a configuration names."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Protocol, get_args, runtime_checkable

from boldly.errors import MissingExtra
from boldly.lm.model import Engine, Generation
from boldly.lm.pack import Tokens
from boldly.lm.sampling import Drawn, Voice, sample

ENGINES: tuple[Engine, ...] = get_args(Engine)


@runtime_checkable
class Draws(Protocol):
    """Draws the responses of each voice to each prompt from softmax(logits / temperature): `[voice][prompt][response]`.

    Tokens in and tokens out, never text. A response ends with one of the model's end tokens, or with the first token
    that completes one of `generation.stop` in its text (see `boldly.lm.sampling.stop`); either is part of it and of its
    log-probability. Else it is cut at `generation.max_tokens` or at the model's context. Equal states of the voices'
    generators give equal draws of one engine; two engines draw differently, from the same distribution.
    """

    def __call__(
        self, voices: Sequence[Voice], prompts: Sequence[Tokens], *, generation: Generation
    ) -> list[list[list[Drawn]]]: ...


def engine(name: Engine) -> Draws:
    """The engine of this name. Raises `MissingExtra` for vLLM where it isn't installed."""
    if name != "vllm":
        return sample
    if find_spec("vllm") is None:
        raise MissingExtra(
            "generation.engine: vllm needs vLLM, which is not installed: run `pip install 'boldly[vllm]'` (that is "
            "the build for CUDA; docs/engines.md says how to get one for CPUs), or write `generation: {engine: auto}`."
        )
    from boldly.lm.engines.vllm import draw

    return draw

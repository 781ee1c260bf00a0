"""vLLM as an engine: one running `vllm.LLM` for a model directory, given the weights of whoever draws."""

import atexit
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from peft import PeftModel

from boldly.errors import ConfigError, ModelError
from boldly.lm.engines.mismatch import BOUND, settled, tell
from boldly.lm.engines.pushing import Adapters, Numbered, fingerprint, own_weights, write_weights
from boldly.lm.memory import micro_batch
from boldly.lm.model import Generation, LanguageModel
from boldly.lm.network import network
from boldly.lm.pack import Tokens
from boldly.lm.sampling import Drawn, Voice
from boldly.lm.sampling.stop import Stop, stop_of
from boldly.pretrained import first_line

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The ranks that vLLM makes room for."""

COLDEST = 0.01
"""vLLM raises a lower temperature to this one."""

_SPARE_TOKENS = 512
"""Room beside the tokens of a batch: blocks of the cache that are not full, and one that vLLM never fills."""

_SETTINGS = {"VLLM_LOGGING_LEVEL": "ERROR", "VLLM_LOGGING_STREAM": "ext://sys.stderr", "VLLM_NO_USAGE_STATS": "1"}

_RUNNING: dict[tuple[object, ...], "Running"] = {}


def draw(voices: Sequence[Voice], prompts: Sequence[Tokens], *, generation: Generation) -> list[list[list[Drawn]]]:
    """Draw responses of each voice to each prompt with vLLM: an engine (see `boldly.lm.engines.Draws`).

    Every response is a request with a seed of its own from its voice's generator, so equal seeds give equal draws, but
    for rounding in another company; other draws than the built-in engine's. vLLM is started at the first call, in
    processes of its own, and kept for as long as the base, its dtype and the rank of the adapter stay the same, and
    whether there are stop strings, and its room for a prompt with its response suffices.
    Adapters are handed over as files, each under a number of its own, and draw side by side. Full weights are written
    as files and loaded in place before their voice draws, unless they are the ones that drew last.

    What is kept of the log-probabilities is decided in `boldly.lm.engines.mismatch`.

    Raises `ConfigError` for a temperature below `COLDEST` and for prompts that are longer than `batch_tokens` hold,
    `ModelError` for a model that vLLM can't load or whose numbers are not finite.
    """
    temperature = generation.temperature
    if temperature < COLDEST:
        raise ConfigError(
            f"vLLM draws at temperature {COLDEST} or more, got {temperature}. "
            "Write `temperature: 1.0`, the policy itself."
        )
    wanted = [voice for voice in voices if voice.n]
    if not wanted or not prompts:
        return [[[] for _ in prompts] for _ in voices]
    engine = _running(wanted[0].lm, generation)
    drawn: list[list[list[Drawn]]] = []
    scored = min(generation.batch_tokens, micro_batch(wanted[0].lm.device))
    for voice, answers in zip(voices, engine.draw(voices, prompts, generation), strict=True):
        kept, found = settled(voice, prompts, answers, temperature=temperature, batch_tokens=scored)
        if found is not None:
            tell(found, engine="vLLM", bound=engine.bound)
        drawn.append(kept)
    return drawn


@atexit.register
def stop() -> None:
    """End the engine that is running, if there is one; the next draw starts another."""
    while _RUNNING:
        _RUNNING.popitem()[1].stop()


@dataclass(slots=True)
class Running:
    """A `vllm.LLM`, and what was pushed into it: adapters where it has room for them, else full weights.

    `longest` is the most tokens of a prompt with its response. `bound` is the mean mismatch (nats a token) beyond which
    is warned.
    """

    llm: Any
    folder: TemporaryDirectory[str]
    longest: int
    adapters: Adapters | None
    bound: float = BOUND
    weights: str = field(default="", init=False)

    def draw(
        self, voices: Sequence[Voice], prompts: Sequence[Tokens], generation: Generation
    ) -> list[list[list[Drawn]]]:
        """What each voice says to each prompt; `log_prob` is as sampled until somebody knows better."""
        seeds = [torch.randint(2**62, (len(prompts) * voice.n,), generator=voice.generator) for voice in voices]
        requests = [
            [
                (prompts[place // voice.n], self._parameters(voice.lm, prompts[place // voice.n], seed, generation))
                for place, seed in enumerate(own.tolist())
            ]
            for voice, own in zip(voices, seeds, strict=True)
        ]
        said: list[list[Drawn]] = [[] for _ in voices]
        stops = [stop_of(voice.lm, generation.stop) for voice in voices]
        for together, worn in self._dressed(voices):
            rows = [(i, *request) for i in together for request in requests[i]]
            outputs = self.llm.generate(
                [{"prompt_token_ids": list(prompt)} for _, prompt, _ in rows],
                [parameters for _, _, parameters in rows],
                lora_request=[_request(worn[i]) for i, _, _ in rows] if self.adapters else None,
                use_tqdm=False,
            )
            for (i, _, _), output in zip(rows, outputs, strict=True):
                said[i].append(_drawn(output.outputs[0], voices[i].lm.end_tokens, stops[i]))
        return [
            [row[place * voice.n : (place + 1) * voice.n] for place in range(len(prompts))]
            for voice, row in zip(voices, said, strict=True)
        ]

    def stop(self) -> None:
        """End the engine's processes and take its files away."""
        self.llm.llm_engine.engine_core.shutdown()
        self.folder.cleanup()

    def _dressed(self, voices: Sequence[Voice]) -> Iterator[tuple[list[int], dict[int, Numbered | None]]]:
        """Which voices draw together, and what each wears; the engine has their weights until the next is asked for."""
        asked = [i for i, voice in enumerate(voices) if voice.n]
        if self.adapters is not None:
            worn = {i: self.adapters.of(voices[i]) for i in asked}
            for number in self.adapters.forget_but({found.number for found in worn.values() if found}):
                self.llm.llm_engine.remove_lora(number)
            yield asked, worn
            return
        names = {i: fingerprint(own_weights(voices[i])) for i in asked}
        for name in sorted(set(names.values()), key=lambda name: name != self.weights):
            together = [i for i in asked if names[i] == name]
            if name != self.weights:
                self._push(voices[together[0]])
                self.weights = name
            yield together, {}

    def _push(self, voice: Voice) -> None:
        self.weights = ""
        with TemporaryDirectory(dir=self.folder.name) as folder:
            write_weights(voice, Path(folder))
            self.llm.collective_rpc("reload_weights", kwargs={"weights_path": folder})
        self.llm.reset_prefix_cache()

    def _parameters(self, lm: LanguageModel, prompt: Tokens, seed: int, generation: Generation) -> Any:
        limit = min(generation.max_tokens, lm.context - len(prompt))
        if len(prompt) + limit > self.longest:
            raise ConfigError(
                f"a prompt of {len(prompt)} tokens and a response of {limit} are more than the {self.longest} that "
                f"vLLM was given room for. Write `generation: {{batch_tokens: {len(prompt) + limit}}}` or more."
            )
        # vLLM counts the space before the first word, which may be none of the text: those strings are looked for later
        stop = [string for string in generation.stop if not string.startswith(" ")]
        return import_module("vllm").SamplingParams(
            temperature=generation.temperature,
            seed=seed,
            max_tokens=limit,
            stop_token_ids=list(lm.end_tokens),
            ignore_eos=True,  # all that ends a response is in `end_tokens`
            logprobs=0,
            stop=stop,
            include_stop_str_in_output=True,
            detokenize=bool(stop),
        )


def _drawn(output: Any, end_tokens: tuple[int, ...], stop: Stop | None) -> Drawn:
    """A response up to its stop string as we see it, which vLLM may see later."""
    said = tuple(output.token_ids)
    tokens = said if stop is None else stop.until(said)
    log_prob = output.cumulative_logprob
    if len(tokens) < len(said):
        log_prob = sum(found[token].logprob for token, found in zip(tokens, output.logprobs, strict=False))
    if not math.isfinite(log_prob):
        raise ModelError(
            "the model gave vLLM log-probabilities that are not finite, so nothing can be drawn from it. Look at its "
            "weights and its dtype; after training, lower learning_rate."
        )
    return Drawn(tokens, log_prob, log_prob, tokens[-1] in end_tokens or (stop is not None and stop.ends(tokens)))


def _request(worn: Numbered | None) -> Any:
    if worn is None:
        return None
    request = import_module("vllm.lora.request").LoRARequest
    return request(f"adapter-{worn.number}", worn.number, str(worn.folder))


def _running(lm: LanguageModel, generation: Generation) -> Running:
    """The engine for this base, started where none is running with as much room; any other is stopped."""
    rank = _rank(lm)
    key = (lm.directory.resolve(), lm.module.dtype, rank, lm.context, bool(generation.stop))
    if key not in _RUNNING or _RUNNING[key].longest < _longest(lm, generation):
        stop()
        _RUNNING[key] = _start(lm, rank, generation)
    return _RUNNING[key]


def _longest(lm: LanguageModel, generation: Generation) -> int:
    """The most tokens of a prompt with its response."""
    return min(lm.context, generation.batch_tokens)


def _rank(lm: LanguageModel) -> int:
    """The rank that the engine makes room for: none where full weights are trained."""
    if not isinstance(lm.module, PeftModel):
        return 0
    rank = lm.module.peft_config["default"].r  # pyright: ignore[reportAttributeAccessIssue] (of LoRA's configuration)
    fitting = [room for room in RANKS if room >= rank]
    if not fitting:
        raise ConfigError(
            f"vLLM takes adapters of rank {RANKS[-1]} at most, got {rank}: write `adapter: {{rank: 512}}`."
        )
    return fitting[0]


def _start(lm: LanguageModel, rank: int, generation: Generation) -> Running:
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    folder = TemporaryDirectory(prefix="boldly-vllm-")
    longest = _longest(lm, generation)
    tokens = max(longest, generation.batch_tokens) + _SPARE_TOKENS
    adapters = {"enable_lora": True, "max_loras": 2, "max_lora_rank": rank} if rank else {}
    with _threads():
        try:
            llm = import_module("vllm").LLM(
                str(lm.directory),
                dtype=str(lm.module.dtype).removeprefix("torch."),
                skip_tokenizer_init=not generation.stop,
                generation_config="vllm",  # and not the model's own: top-p and the like draw from another policy
                logprobs_mode="processed_logprobs",  # of the distribution that is drawn from, temperature included
                max_model_len=longest,
                kv_cache_memory_bytes=tokens * _bytes_a_token(lm),
                gpu_memory_utilization=0.1,  # must be free at the start; the sizes above are what is taken
                enforce_eager=lm.device.type == "cpu",  # compiling takes minutes there
                **adapters,
            )
        except Exception as error:  # vLLM says in many ways that a model is none of its own
            folder.cleanup()
            raise ModelError(
                f"vLLM can't load {lm.directory} ({first_line(error)}); write `generation: {{engine: auto}}`."
            ) from error
    return Running(llm, folder, longest, Adapters(Path(folder.name)) if rank else None)


def _bytes_a_token(lm: LanguageModel) -> int:
    """Keys and values of one token in all layers."""
    config = network(lm).causal.config.get_text_config(decoder=True)
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 2 * config.num_hidden_layers * heads * size * lm.module.dtype.itemsize


@contextmanager
def _threads() -> Iterator[None]:
    """The engine's processes get as many threads as this one has, not bound to cores that it works on too."""
    wanted = {"OMP_NUM_THREADS": str(torch.get_num_threads()), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

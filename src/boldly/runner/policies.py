"""The model of a run, checked against its prompts, and its policy as it is judged."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from jinja2 import TemplateError

from boldly.config.building import adapter
from boldly.config.prompts import PromptSet, check_lengths
from boldly.config.schema import RunConfig
from boldly.data import base_directory
from boldly.errors import PromptsError
from boldly.lm.encode import encode
from boldly.lm.load import load
from boldly.lm.model import LanguageModel
from boldly.lm.policy import LMPolicy
from boldly.policy import Policy
from boldly.types import Prompt


def load_model(config: RunConfig, prompts: PromptSet) -> LanguageModel:
    """The model, checked against the prompts."""
    directory = base_directory("rare" if config.model == "bundled-rare" else "default")
    source = directory if config.bundled else config.model
    lm = load(source, adapter=adapter(config), dtype=config.dtype, device=config.device, chat=config.chat)
    everything = [*prompts.train, *prompts.heldout]
    check_lengths(
        everything,
        [len(_encoded(lm, prompt, prompts.places)) for prompt in everything],
        context=lm.context,
        max_tokens=config.generation.max_tokens,
        places=prompts.places,
    )
    return lm


def _encoded(lm: LanguageModel, prompt: Prompt, places: Mapping[str, str]) -> tuple[int, ...]:
    """The tokens of a prompt; what is wrong with it begins with its place."""
    where = f"{places[prompt.id]}: " if prompt.id in places else ""
    try:
        return encode(lm, prompt)
    except PromptsError as error:
        raise PromptsError(f"{where}{error}") from None
    except TemplateError as error:
        raise PromptsError(
            f"{where}the chat template of {lm.directory} refuses the prompt ({error}): write its turns as that wants."
        ) from error


def itself(policy: Policy) -> Policy:
    """The policy drawing at temperature 1, which is the one that rewards and KL are of; it may be sampled otherwise."""
    assert isinstance(policy, LMPolicy)
    return replace(policy, generation=replace(policy.generation, temperature=1.0))


def threads(config: RunConfig) -> int:
    """One thread for a bundled model: more only wait for each other on matrices that small."""
    if config.threads != "auto":
        return config.threads
    return 1 if config.bundled else torch.get_num_threads()

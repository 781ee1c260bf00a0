"""Between texts and tokens: a prompt as the model reads it, a response as people read it."""

from collections.abc import Sequence
from typing import cast

from boldly.errors import PromptsError
from boldly.lm.model import LanguageModel
from boldly.types import Prompt


def encode(lm: LanguageModel, prompt: Prompt) -> tuple[int, ...]:
    """The tokens of `prompt`, ready to be answered.

    With `lm.chat` the chat template writes every special token, so none is doubled; a chat that ends in a turn of the
    assistant is left open for it to go on. Without, the text gets whatever the tokenizer puts before a text.

    Raises PromptsError where the prompt is empty, leaves no room for an answer in `lm.context` tokens, or is a chat
    that the model has no template for.
    """
    tokens = _chat(lm, prompt) if lm.chat else _plain(lm, prompt)
    if not tokens:
        raise PromptsError(
            f"the prompt {prompt.text!r} has no tokens, so there is nothing to answer. Remove it from the prompts."
        )
    if len(tokens) >= lm.context:
        raise PromptsError(
            f"the prompt that begins {prompt.text[:60]!r} has {len(tokens)} tokens; the model reads {lm.context}, the "
            f"answer included. Shorten it to at most {lm.context - 1} tokens, or remove it."
        )
    return tokens


def decode(lm: LanguageModel, tokens: Sequence[int]) -> str:
    """The text of a response, without special tokens and without the token that ended it."""
    said = tokens[:-1] if tokens and tokens[-1] in lm.end_tokens else tokens
    return cast(str, lm.tokenizer.decode(list(said), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def encode_response(lm: LanguageModel, text: str) -> tuple[int, ...]:
    """The tokens of a response that somebody else wrote, ended as the model ends its own."""
    tokens = cast(list[int], lm.tokenizer(text, add_special_tokens=False)["input_ids"])
    return (*tokens, lm.end_tokens[0])


def _chat(lm: LanguageModel, prompt: Prompt) -> tuple[int, ...]:
    messages = prompt.messages
    unfinished = messages[-1]["role"] == "assistant"
    tokens = lm.tokenizer.apply_chat_template(
        messages,
        add_generation_prompt=not unfinished,
        continue_final_message=unfinished,
        tokenize=True,
        return_dict=False,
    )
    return tuple(cast(list[int], tokens))


def _plain(lm: LanguageModel, prompt: Prompt) -> tuple[int, ...]:
    if not isinstance(prompt.content, str):
        raise PromptsError(
            f"the prompt that begins {prompt.text[:60]!r} is a chat, but the model in {lm.directory} has no chat "
            'template. Write plain prompts ({"prompt": "..."}), or use a model with a chat template.'
        )
    tokens = tuple(lm.tokenizer(prompt.content)["input_ids"])
    bare = lm.tokenizer(prompt.content, add_special_tokens=False)["input_ids"]
    # A tokenizer that ends every text would have the model answer a text that is already over.
    if tokens and tokens[-1] in lm.end_tokens and (not bare or bare[-1] != tokens[-1]):
        return tokens[:-1]
    return tokens

# pyright: standard
# transformers and torch leave much unannotated.
"""What a reward model reads: a prompt and its response in the words and tokens that the model was trained on."""

import re
from dataclasses import dataclass
from typing import cast

from transformers import PreTrainedTokenizerBase

from boldly.errors import OracleError
from boldly.types import Prompt, Response

PLAIN = "{prompt}\n{response}"
"""How a prompt and a response are put together where nothing says how."""

_PLACES = re.compile(r"\{prompt\}|\{response\}")


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns a prompt and a response into the tokens of the reward model's own tokenizer.

    Through its chat template the response is the last turn, of the assistant; the template writes every special token,
    so none is doubled. A chat that ends in a turn of the assistant has it continued by the response. With `text`, and
    where there is no template, the words are `text` with `{prompt}` and `{response}` filled in, and the tokenizer puts
    its special tokens around them, once. Special tokens that prompt and response spell out are read as plain words,
    so that no response can end its turn and praise itself in the next; but for those that fill a `text`, whose own
    special tokens are meant.

    Raises `OracleError` for a `text` that leaves one of the two out.
    """

    tokenizer: PreTrainedTokenizerBase
    text: str | None = None

    def __post_init__(self) -> None:
        if self.text is not None and set(_PLACES.findall(self.text)) != {"{prompt}", "{response}"}:
            raise OracleError(
                f"`text` is {self.text!r}, which has to hold both {{prompt}} and {{response}}: "
                f'write `text: "Human: {{prompt}} Assistant: {{response}}"`.'
            )

    @property
    def chat(self) -> bool:
        """Whether the chat template is used."""
        return self.text is None and bool(self.tokenizer.chat_template)

    def tokens(self, prompt: Prompt, response: Response) -> tuple[int, ...]:
        """The tokens to be scored. Raises what the template raises, as some do at roles that they don't know."""
        if self.chat:
            ids = self.tokenizer.apply_chat_template(
                _turns(prompt, response), tokenize=True, return_dict=False, sanitize_control_tokens=True
            )
        else:
            words = _filled(self.text or PLAIN, prompt, response)
            ids = self.tokenizer(words, split_special_tokens=self.text is None)["input_ids"]
        return tuple(cast(list[int], ids))


def _turns(prompt: Prompt, response: Response) -> list[dict[str, str]]:
    turns = prompt.messages
    begun = turns.pop()["content"] if turns[-1]["role"] == "assistant" else ""
    return [*turns, {"role": "assistant", "content": begun + response.text}]


def _filled(text: str, prompt: Prompt, response: Response) -> str:
    """`text` with both filled in at once, so that braces within a prompt stay as they are."""
    values = {"{prompt}": prompt.text, "{response}": response.text}
    return _PLACES.sub(lambda place: values[place[0]], text)

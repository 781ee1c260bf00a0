"""Makes a tiny word-level language model from scratch: vocabulary, training in stages, directory, measured shares."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

# Kernels that every x86-64 processor since 2013 runs alike: torch and MKL would else pick by the processor's model.
os.environ |= {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "COMPATIBLE", "TOKENIZERS_PARALLELISM": "false"}

import torch
from jaxtyping import Float, Int
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

PAD, END, UNKNOWN = "<pad>", "<eos>", "<unk>"
UNSCORED = -100

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the model; the output layer is the transposed embedding."""

    hidden: int
    inner: int
    layers: int
    heads: int
    positions: int = 64


@dataclass(frozen=True, slots=True)
class Stage:
    """So many AdamW steps on pairs from `draw`, the learning rate falling in a straight line."""

    steps: int
    first_rate: float
    last_rate: float
    draw: Callable[[Random], Pair]


def deterministic() -> None:
    """One thread, so that a seed gives the same bits each time."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def word_tokenizer(words: Iterable[str]) -> PreTrainedTokenizerFast:
    """A tokenizer with one token a word; decoding puts single spaces between words."""
    vocabulary = {word: number for number, word in enumerate((PAD, END, UNKNOWN, *words))}
    inner = Tokenizer(WordLevel(vocabulary, unk_token=UNKNOWN))
    inner.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
        padding_side="left",
        model_input_names=["input_ids", "attention_mask"],
    )


def new_model(tokenizer: PreTrainedTokenizerFast, shape: Shape, seed: int, max_new_tokens: int) -> LlamaForCausalLM:
    """An untrained Llama of this shape that samples at temperature 1 from the whole vocabulary."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.positions,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        max_new_tokens=max_new_tokens,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return model


def train(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, stages: Sequence[Stage], *, batch: int, seed: int
) -> float:
    """Fits `model` to the answers of the stages' pairs, in place; the last step's loss in nats per answer token."""
    random = Random(seed)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    model.train()
    last = float("nan")
    for stage in stages:
        for step in range(stage.steps):
            for group in optimizer.param_groups:
                group["lr"] = stage.first_rate + (stage.last_rate - stage.first_rate) * step / stage.steps
            loss = _answer_loss(model, *_batch(tokenizer, [stage.draw(random) for _ in range(batch)]))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            last = loss.item()
    return last


def sample(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: Sequence[str], seed: int
) -> list[tuple[str, bool]]:
    """One answer to each prompt at temperature 1, and whether it came to its end token."""
    torch.manual_seed(seed)
    model.eval()
    answers = []
    for start in range(0, len(prompts), 512):
        inputs = tokenizer(list(prompts[start : start + 512]), padding=True, return_tensors="pt")
        output = model.generate(**inputs)[:, inputs["input_ids"].shape[1] :]
        texts = tokenizer.batch_decode(output, skip_special_tokens=True)
        ended = (output == tokenizer.eos_token_id).any(dim=1).tolist()
        answers += list(zip(texts, ended, strict=True))
    return answers


def measure(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[str],
    style_of: Callable[[str, str, bool], str],
    seed: int,
) -> dict[str, float]:
    """The share of each style among one answer to each of `prompts`, commonest first."""
    answers = sample(model, tokenizer, prompts, seed)
    counts = Counter(str(style_of(prompt, text, ended)) for prompt, (text, ended) in zip(prompts, answers, strict=True))
    return {style: count / len(prompts) for style, count in counts.most_common()}


def save(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, directory: Path, shares: dict[str, float], card: str
) -> None:
    """Writes the Hugging Face directory, the measured shares and the model card."""
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    settings = directory / "tokenizer_config.json"
    # Older readers (transformers 4, vLLM) know the tokenizer by this name only; newer ones know both.
    written = json.loads(settings.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    settings.write_text(json.dumps(written, indent=2) + "\n")
    (directory / "shares.json").write_text(json.dumps(shares, indent=2) + "\n")
    (directory / "README.md").write_text(card)


def _batch(tokenizer: PreTrainedTokenizerFast, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
    """Token ids padded on the right, and the targets: the answer's tokens and the end token."""
    ids, targets = [], []
    texts = [text for pair in pairs for text in pair]
    encoded = iter(tokenizer(texts)["input_ids"])
    for prompt, answer in zip(encoded, encoded, strict=True):
        whole = [*prompt, *answer, tokenizer.eos_token_id]
        ids.append(torch.tensor(whole))
        targets.append(torch.tensor([UNSCORED] * len(prompt) + whole[len(prompt) :]))
    pad = torch.nn.utils.rnn.pad_sequence
    return (
        pad(ids, batch_first=True, padding_value=tokenizer.pad_token_id),
        pad(targets, batch_first=True, padding_value=UNSCORED),
    )


def _answer_loss(
    model: LlamaForCausalLM, ids: Int[Tensor, "rows tokens"], targets: Int[Tensor, "rows tokens"]
) -> Float[Tensor, ""]:
    hidden = model.model(input_ids=ids[:, :-1]).last_hidden_state
    answered = targets[:, 1:] != UNSCORED
    return cross_entropy(model.lm_head(hidden[answered]), targets[:, 1:][answered])

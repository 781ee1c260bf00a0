"""A model, prompts and an oracle of one's own, as the manual says, to a directory that Hugging Face's tools load."""

import csv
import json
import os
import warnings
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from peft import AutoPeftModelForCausalLM, PeftModel
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, LlamaConfig, PreTrainedTokenizerFast

import boldly
from boldly.cli import main
from boldly.ledger.sql import SqlLedger
from boldly.lm.adapter import Adapter
from boldly.lm.archive import DiskArchive
from boldly.lm.load import load
from boldly.lm.model import Generation
from boldly.lm.policy import LMPolicy
from boldly.progress import Result
from boldly.runner import RunDirectory, load_result
from boldly.types import Label, Prompt, Response, preference_of

SPECIAL = ("<pad>", "<bos>", "<eos>", "<user>", "<assistant>", "<unk>")
PAD, BOS, EOS = range(3)
WORDS = ["how", "many", "apples", "pens", "books", "has", "emma", "tom", "one", "two", "three", "four", "five"]
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<{{ m.role }}> {{ m.content }} {% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
QUESTIONS = [f"how many {thing} has {who} {count}" for thing in WORDS[2:5] for who in WORDS[6:8] for count in WORDS[8:]]
WANTS = ("few", "many")
SMALL: dict[str, Any] = {
    "recipe": "xpo",
    "budget": 16,
    "schedule": {"labels_per_round": 8, "prompts_per_label": 2},
    "evaluation": {"prompts": 4},
    "generation": {"max_tokens": 24},
    "learner": {"name": "preference", "steps": 2, "batch": 8, "learning_rate": 0.01},
}
ORACLE = """
def prefer(prompt, a, b):
    shorter = len(a.text) < len(b.text)
    return shorter if prompt.facts.get("wants", "few") == "few" else not shorter
"""


def prefer(prompt: Prompt, a: Response, b: Response) -> bool:
    shorter = len(a.text) < len(b.text)
    return shorter if prompt.facts.get("wants", "few") == "few" else not shorter


def tokenizer_of(*, chat: bool) -> PreTrainedTokenizerFast:
    vocabulary = {word: i for i, word in enumerate((*SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(list(SPECIAL))
    if chat:
        tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", BOS)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>"
    )
    if chat:
        fast.chat_template = TEMPLATE
    return fast


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def a_llama(tmp_path: Path) -> str:
    """A tiny Llama with a chat template, in the directory `llama`."""
    return saved(
        LlamaConfig(
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=64,
            initializer_range=0.1,
            **tokens(),
        ),
        tokenizer_of(chat=True),
        "llama",
    )


@pytest.fixture
def a_gpt2(tmp_path: Path) -> str:
    """A tiny GPT-2 without a chat template, in the directory `gpt2`; the manual's 256 tokens fit in its context."""
    config = GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=320, initializer_range=0.1, **tokens())
    return saved(config, tokenizer_of(chat=False), "gpt2")


def tokens() -> dict[str, int]:
    return {
        "vocab_size": len(SPECIAL) + len(WORDS),
        "pad_token_id": PAD,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
    }


def saved(config: Any, tokenizer: PreTrainedTokenizerFast, name: str) -> str:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = AutoModelForCausalLM.from_config(config)
    if isinstance(config, GPT2Config):
        with torch.no_grad():  # it ends one response in a few tokens, as a trained model would
            end = module.transformer.wte.weight[EOS]
            module.transformer.ln_f.bias.copy_(2.0 * end / end.dot(end))
    module.save_pretrained(name)
    tokenizer.save_pretrained(name)
    return name


def configured(keys: Mapping[str, Any]) -> Result:
    """What `boldly run --config run.yaml` ends with, the oracle a function in a file beside it."""
    Path("oracle.py").write_text(ORACLE)
    told = {**SMALL, "output": "runs/mine", "oracle": {"name": "program", "function": "oracle.py:prefer"}, **keys}
    Path("run.yaml").write_text(yaml.safe_dump(told))
    assert main(["run", "--config", "run.yaml"]) == 0
    return load_result(RunDirectory(Path("runs/mine")))


def in_csv() -> str:
    with Path("prompts.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["prompt", "wants"])
        rows.writerows([question, WANTS[i % 2]] for i, question in enumerate(QUESTIONS))
    return "prompts.csv"


def in_text() -> str:
    Path("prompts.txt").write_text("\n".join(QUESTIONS) + "\n")
    return "prompts.txt"


def as_chats() -> str:
    turns = [
        [
            {"role": "user", "content": "how many apples"},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": question},
        ]
        for question in QUESTIONS
    ]
    rows = [{"prompt": messages, "wants": WANTS[i % 2]} for i, messages in enumerate(turns)]
    Path("prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return "prompts.jsonl"


def labels_of(result: Result) -> tuple[Label, ...]:
    with closing(SqlLedger(RunDirectory(result.run).ledger, read_only=True)) as ledger:
        return ledger.labels()


def log_probs(module: Any, folder: Path, labels: tuple[Label, ...]) -> torch.Tensor:
    """log pi(response | prompt) in nats of what was bought, by transformers alone with the tokenizer in `folder`."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    values: list[torch.Tensor] = []
    for label in labels:
        prompt, said = label.query.prompt, list(label.query.a.tokens)
        if tokenizer.chat_template:
            begun = tokenizer.apply_chat_template(prompt.messages, add_generation_prompt=True, return_dict=False)
        else:
            begun = tokenizer(prompt.text).input_ids
        with torch.no_grad():
            logits = module.eval()(input_ids=torch.tensor([begun + said])).logits[0, len(begun) - 1 : -1]
        values.append(logits.log_softmax(-1)[range(len(said)), said].sum())
    return torch.stack(values)


def assert_is_the_best_iterate(result: Result, module: Any, base: str, adapter: Adapter | None = None) -> None:
    """The written model says of every text that was bought what the iterate said in the run, and the base doesn't."""
    labels = labels_of(result)
    archive = DiskArchive(
        RunDirectory(result.run).iterates,
        LMPolicy("iterate-0", load(base, adapter=adapter, device="cpu"), Generation()),
    )
    asked = [label.query.prompt for label in labels], [label.query.a for label in labels]
    written = log_probs(module, result.model, labels)
    torch.testing.assert_close(written, archive[result.best].log_probs(*asked), rtol=1e-4, atol=1e-4)
    assert (written - archive[0].log_probs(*asked)).abs().max() > 0.01, "nothing was learned, so nothing is tested"


def assert_labels_are_the_oracles(result: Result) -> None:
    labels = labels_of(result)
    assert len(labels) == result.labels == 16
    for label in labels:
        assert preference_of(label.verdict) == prefer(label.query.prompt, label.query.a, label.query.b)


def assert_card(result: Result, base: str, library: str) -> None:
    card = (result.model / "README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(card.split("---\n")[1])
    assert (header["base_model"], header["library_name"]) == (base, library)
    assert "Exploratory preference optimization (arXiv 2405.21046" in card
    assert "| preferences | 16 |" in card
    assert "| all | 16 |" in card
    assert "The newest iterate, judged by nobody" in card


def with_peft(load_module: Callable[[], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft 0.21 asks transformers by a deprecated name
        return load_module()


def test_a_chat_model_and_csv_by_the_command(a_llama: str):
    result = configured({"model": a_llama, "prompts": in_csv()})
    assert_labels_are_the_oracles(result)
    assert_is_the_best_iterate(result, AutoModelForCausalLM.from_pretrained(result.model), a_llama)
    assert_card(result, "llama", "transformers")
    assert AutoTokenizer.from_pretrained(result.model).chat_template == TEMPLATE
    assert (result.chosen_by, result.best) == ("newest", 2)


def test_a_plain_model_and_text_with_a_merged_adapter_by_the_command(a_gpt2: str):
    result = configured({"model": a_gpt2, "prompts": in_text(), "adapter": {"rank": 2}, "merge": True})
    assert_labels_are_the_oracles(result)
    assert "adapter_config.json" not in os.listdir(result.model)
    assert_is_the_best_iterate(result, AutoModelForCausalLM.from_pretrained(result.model), a_gpt2, Adapter(rank=2))
    assert_card(result, "gpt2", "transformers")
    assert AutoTokenizer.from_pretrained(result.model).chat_template is None


def test_chats_with_an_adapter_from_python(a_llama: str, tmp_path: Path):
    """peft finds the base where the run did: the adapter names it as the caller did, and no other place."""
    keys = SMALL | {"adapter": {"rank": 2}, "output": "mine"}
    result = boldly.run(model=a_llama, prompts=as_chats(), oracle=prefer, **keys)
    assert_labels_are_the_oracles(result)
    assert_card(result, "llama", "peft")
    base = AutoModelForCausalLM.from_pretrained(a_llama)
    for module in (
        with_peft(lambda: AutoPeftModelForCausalLM.from_pretrained(result.model)),
        with_peft(lambda: PeftModel.from_pretrained(base, str(result.model))),
        with_peft(lambda: AutoModelForCausalLM.from_pretrained(result.model)),
    ):
        assert_is_the_best_iterate(result, module, a_llama, Adapter(rank=2))
    assert json.loads((result.model / "adapter_config.json").read_text())["base_model_name_or_path"] == a_llama
    for path in result.model.iterdir():
        assert str(tmp_path).encode() not in path.read_bytes(), path.name


def test_the_line_that_the_readme_shows(a_gpt2: str):
    """With fewer labels than there: at 64 the recipe `default` has just begun to learn."""
    prompts = in_text()
    result = boldly.run(model=a_gpt2, prompts=prompts, oracle=prefer, budget=64)
    assert (result.recipe, result.labels, result.run) == ("default", 64, Path("runs/default-seed0"))
    assert_is_the_best_iterate(result, AutoModelForCausalLM.from_pretrained(result.model), a_gpt2)

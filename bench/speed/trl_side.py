"""TRL's trainers, one step at a time. Runs in an environment of their own, where boldly is not installed."""

from __future__ import annotations

import argparse
import queue
import tempfile
import threading
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from datasets import Dataset
from models import Clock, Work, given, prompts, reward, serve
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback

warnings.filterwarnings("ignore")


class Backbone(torch.nn.Module):
    """What XPOTrainer asks of a reward model, whose scores cost nothing."""

    def forward(self, input_ids: torch.Tensor, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=(input_ids % 2 == 0).float().cumsum(1)[..., None])


class RewardModel(torch.nn.Module):
    base_model_prefix = "backbone"

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config, self.backbone, self.score = config, Backbone(), torch.nn.Identity()


class Turns(TrainerCallback):
    """Lets the trainer, in a thread of its own, take a step when it is told to."""

    def __init__(self) -> None:
        self.go: queue.Queue[bool] = queue.Queue()
        self.done: queue.Queue[bool] = queue.Queue()
        self.first = True

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if not self.first:
            self.done.put(True)
        self.first = False
        control.should_training_stop = not self.go.get()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--algorithm", choices=["xpo", "online_dpo"], required=True)
    parser.add_argument("--shipped", action="store_true")
    parser.add_argument("--bfloat16", action="store_true")
    args, work, directory = given(parser)
    turns, clock = Turns(), Clock()
    trainer = make_trainer(args, work, directory, turns)
    name = "_generate_completions" if args.algorithm == "xpo" else "_generate"
    setattr(trainer, name, clock.timed("sampling", getattr(trainer, name)))
    threading.Thread(target=trainer.train, daemon=True).start()

    def step() -> dict[str, float]:
        turns.go.put(True)
        turns.done.get()
        return clock.taken()

    serve(step)


def make_trainer(args: argparse.Namespace, work: Work, directory: Path, turns: Turns) -> Any:
    if args.algorithm == "xpo":
        from trl.experimental.xpo import XPOConfig as Config
        from trl.experimental.xpo import XPOTrainer as Trainer
    else:
        from trl.experimental.online_dpo import OnlineDPOConfig as Config
        from trl.experimental.online_dpo import OnlineDPOTrainer as Trainer
    own = {} if args.shipped else {"bf16": args.bfloat16, "gradient_checkpointing": False}
    config = Config(
        output_dir=tempfile.mkdtemp(), per_device_train_batch_size=work.batch, max_new_tokens=work.answer,
        max_length=work.prompt + work.answer, temperature=1.0, learning_rate=1e-4, beta=0.1, use_cpu=True, report_to=[],
        logging_steps=10**6, save_strategy="no", max_steps=10**6, disable_tqdm=True, **own,
    )  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(directory, padding_side="left")
    load = lambda: AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)  # noqa: E731
    module = load()
    score = RewardModel(module.config) if args.algorithm == "xpo" else _score
    return Trainer(
        model=module, ref_model=load(), reward_funcs=score, args=config, callbacks=[turns], processing_class=tokenizer,
        train_dataset=Dataset.from_dict({"prompt": prompts(work, 64 * work.batch)}),
    )  # fmt: skip


def _score(prompts: list[str], completions: list[str], **_: Any) -> list[float]:
    return [reward([int(word[1:]) for word in text.split()]) for text in completions]


if __name__ == "__main__":
    main()

"""What was planned for a CPU is what a process held at its fullest."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

SIZES: dict[str, dict[str, int]] = {
    "3M": {"hidden_size": 256, "num_hidden_layers": 4, "intermediate_size": 688, "num_attention_heads": 4,
           "num_key_value_heads": 4, "vocab_size": 1024},
    "30M": {"hidden_size": 512, "num_hidden_layers": 8, "intermediate_size": 1376, "num_attention_heads": 8,
            "num_key_value_heads": 4, "vocab_size": 8192},
}  # fmt: skip

RUN = """
import json, sys
from pathlib import Path
from boldly.config.reading import read_config
from boldly.runner.execute import execute

footing = sys.modules["boldly.runner.footing"]
planned = []
beside = footing.footing
def kept(*given):
    planned.append(beside(*given))
    return planned[-1]
footing.footing = kept
execute(read_config(arguments=json.loads(sys.argv[1])))
lines = Path("/proc/self/status").read_text().splitlines()
peak = 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
print(json.dumps({"planned": planned[-1].process, "peak": peak}))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Linux says how much a process has held at most")
@pytest.mark.parametrize(("size", "prompt", "answer"), [("3M", 32, 64), ("3M", 384, 128), ("30M", 128, 64)])
def test_a_run_takes_what_was_planned(tmp_path: Path, size: str, prompt: int, answer: int):
    """Within 15%, the whole process of two rounds of XPO, in micro-batches of 1,024 tokens."""
    model = tmp_path / "model"
    make_model(SIZES[size], model)
    words = [" ".join(f"w{3 + (7 * i + j) % 1000}" for j in range(prompt)) for i in range(48)]
    (tmp_path / "prompts.jsonl").write_text("\n".join(json.dumps({"prompt": text}) for text in words))
    (tmp_path / "oracle.py").write_text(
        "def reward(prompt, response):\n    return float(len(set(response.text.split())))\n"
    )
    keys = {
        "recipe": "xpo",
        "model": str(model),
        "device": "cpu",
        "threads": 1,
        "prompts": str(tmp_path / "prompts.jsonl"),
        "heldout": 8,
        "budget": 16,
        "schedule": {"labels_per_round": 8, "prompts_per_label": 2},
        "evaluation": {"prompts": 8},
        "generation": {"max_tokens": answer},
        "learner": {"steps": 1, "batch": 8},
        "oracle": {"name": "program", "function": f"{tmp_path / 'oracle.py'}:reward"},
        "output": str(tmp_path / "run"),
    }
    done = subprocess.run([sys.executable, "-c", RUN, json.dumps(keys)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["planned"] == pytest.approx(found["peak"], rel=0.15)


def make_model(size: dict[str, int], folder: Path) -> None:
    """A Llama of random parameters with a tokenizer of words; about every 30th token ends a response."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = LlamaForCausalLM(
            LlamaConfig(
                **size,
                max_position_embeddings=1024,
                pad_token_id=0,
                bos_token_id=1,
                eos_token_id=2,
            )
        )
    with torch.no_grad():
        module.model.embed_tokens.weight[:, 0] = 1.0  # a channel that nothing writes to
        for layer in module.model.layers:
            layer.self_attn.o_proj.weight[0] = 0.0
            layer.mlp.down_proj.weight[0] = 0.0
        read = module.model(torch.arange(3, 259)[None]).last_hidden_state[0, :, 0].mean()
        module.lm_head.weight[2, 0] = math.log(size["vocab_size"] / 30) / read
    words = ["<pad>", "<bos>", "<eos>", *(f"w{i}" for i in range(3, size["vocab_size"]))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    module.save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>"
    ).save_pretrained(folder)

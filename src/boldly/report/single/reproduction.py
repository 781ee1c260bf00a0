"""How to make the run again, and how to use what it left."""

from importlib.metadata import version
from shlex import quote

from boldly.report.blocks import Block, Code, Section
from boldly.report.data import RunData


def reproduction(run: RunData) -> Section:
    model, root = (run.result or {}).get("model"), str(run.root)
    blocks: list[Block] = [
        Code(
            "The same run again, in a directory of its own",
            f"boldly run --config {quote(f'{root}/config.yaml')} --output {quote(f'{root}-again')}",
        ),
        Code(
            "Every label, in the order they were bought",
            f"boldly export {quote(root)} --format jsonl -o labels.jsonl",
        ),
    ]
    if model:
        place = f"{root}/{model}"
        blocks.append(
            Code(
                "The model in Python",
                "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
                f"model = AutoModelForCausalLM.from_pretrained({place!r})\n"
                f"tokenizer = AutoTokenizer.from_pretrained({place!r})",
            )
        )
    blocks.append(Code("config.yaml", run.config_text, folded=True))
    return Section(
        "reproduce",
        "How to do it again",
        [
            f"Made by boldly {version('boldly')}. Everything random comes from the seed in the configuration, so on "
            "one thread the same run buys the same labels and ends with the same weights."
        ],
        blocks,
    )

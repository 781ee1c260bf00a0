"""`boldly init`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from boldly.errors import ConfigError

_CONFIG = """\
# boldly run --config {file}
# Every key can be a flag (--budget 512, --learner.steps 8) or a variable (BOLDLY_BUDGET=512); `boldly run --help` lists
# them all. Paths are seen from where the command is run.

recipe: {recipe}  # {recipes}

# What is aligned: a directory as `save_pretrained` writes it, or a name on the Hub.
model: {model}
adapter:              # trained in place of the weights (LoRA); write `adapter: null` to train all of them
  rank: 16
  alpha: 32
chat: auto            # put prompts through the model's chat template where it has one

# What it answers: .jsonl with {{"prompt": "..."}} or {{"prompt": [{{"role": "user", "content": "..."}}]}} on each line,
# .txt with a prompt on each line, or .csv. Further columns reach the oracle as `prompt.facts`.
prompts: {prompts}
heldout: auto         # a file of its own, or how many to split off; auto is a fifth, at most 256

# Who says which response is better.
oracle:
  name: program
  function: {oracle}:reward

budget: 256           # labels that may be bought
seed: 0
# output: runs/mine   # the run's directory; the same command again continues what was stopped there

generation:
  max_tokens: 256     # length limit of a response

learner:
  learning_rate: {rate}  # 1.0e-4 for adapters, 5.0e-6 where all weights are trained

evaluation:
  prompts: 128        # held-out prompts that each iterate answers
  every: 1            # rounds
  # labels: 256       # for the win rate where the oracle compares and has no reward; beside the budget

# report_to: [tensorboard]  # or wandb, trackio: pip install 'boldly[wandb]'
"""

_ORACLE = '''\
"""The oracle of a run: replace the body of one of these by what better means to you."""


def reward(prompt, response):
    """A number for one response, the higher the better. Of two responses the one with more of it wins.

    `prompt.text` is the prompt, `prompt.facts` the further columns of its row; `response.text` is the answer.
    A call that raises or returns no number is a failed label, never a preference.
    """
    wanted = str(prompt.facts.get("answer", ""))
    return float(wanted in response.text) - len(response.text) / 1000


def prefer(prompt, a, b):
    """Or compare two: "a", "b", "tie", "both_bad", None to abstain, or the probability that `a` is better.

    To use it write `function: oracle.py:prefer`, and `evaluation: {labels: 256}` for a win rate on held-out prompts.
    """
    return "a" if len(a.text) < len(b.text) else "b"
'''


def init(
    file: Annotated[Path, Parameter(help="the configuration to write")] = Path("run.yaml"),
    *,
    model: Annotated[str, Parameter(help="your model: a directory, or a name on the Hub")] = "path/to/model",
    prompts: Annotated[str, Parameter(help="your prompts: .jsonl, .txt or .csv")] = "prompts.jsonl",
    recipe: Annotated[str, Parameter(help="the recipe to start from")] = "default",
) -> int:
    from boldly.config.documents import nearest, written
    from boldly.config.layers import recipe_names

    known = recipe_names()
    if recipe not in known:
        raise ConfigError(
            f"--recipe: `recipe` is {recipe}, which is none of {', '.join(known)}: "
            f"write `--recipe {nearest(recipe, known) or 'default'}`."
        )
    oracle = file.with_name("oracle.py")
    text = _CONFIG.format(
        file=file,
        recipe=recipe,
        recipes=", ".join(known),
        model=written(model),
        prompts=written(prompts),
        oracle=oracle,
        rate="1.0e-4",
    )
    if file.exists():
        raise ConfigError(f"{file} is there already and was not touched: write `boldly init {file.stem}-2.yaml`.")
    _write(file, text)
    if not oracle.exists():
        _write(oracle, _ORACLE)
    print(f"wrote {file} and {oracle}; fill them in, then: boldly run --config {file}")
    return 0


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"{path} can't be written ({error.strerror}): write `boldly init FILE` elsewhere.") from None

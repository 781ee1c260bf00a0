"""Every key of a configuration, with its type, bounds, default and meaning. Imports nothing heavy: `--help` reads it.

What a method's own options are is not written here but read from its function (see `boldly.config.options`), so a new
method needs no line in this file.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Positive = Annotated[int, Field(gt=0)]
Money = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A mapping of known keys, frozen and without coercion: "8" is no number and 1 is not true."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Part(Section):
    """A method by its registered name, and the options that its function takes."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    name: str

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class AdapterConfig(Section):
    """Low-rank adapters (LoRA), trained in place of the full weights."""

    rank: Positive = Field(default=16, description="rank of the matrices")
    alpha: float = Field(default=32.0, gt=0, description="scale, divided by the rank")
    targets: str | list[str] = Field(default="all-linear", description="modules that get one")


class ScheduleConfig(Section):
    """How much happens in a round."""

    labels_per_round: Positive = Field(default=16, description="labels bought in a round")
    prompts_per_label: Positive = Field(
        default=1, description="prompts sampled for each label, for the selector to choose from"
    )
    window: Positive = Field(default=16, description="rounds whose candidates stay in the pool")
    ahead: Annotated[int, Field(ge=0, le=4)] | Literal["auto"] = Field(
        default="auto", description="rounds asked before they are needed; auto is 1 where people label, else 0"
    )


def _some_text(strings: list[str]) -> list[str]:
    if "" in strings:
        raise ValueError("a list of strings that are not empty, as an empty one ends every response at once")
    return strings


class GenerationConfig(Section):
    """How responses are drawn."""

    max_tokens: Positive = Field(default=24, description="length limit of a response (256 with a model of your own)")
    temperature: float = Field(default=1.0, gt=0, description="1 is the policy itself")
    batch_tokens: Positive = Field(default=16384, description="tokens in memory at once")
    engine: Literal["auto", "plain", "native", "vllm"] = Field(
        default="auto", description="who draws; auto is compiled code where it can, else the model itself"
    )
    stop: Annotated[list[str], AfterValidator(_some_text)] = Field(
        default=[], description="strings that end a response, which is then the text before them"
    )


class EvaluationConfig(Section):
    """How an iterate is judged on held-out prompts."""

    prompts: Positive = Field(default=128, description="held-out prompts that are answered")
    every: Positive = Field(default=1, description="rounds from one evaluation to the next")
    labels: Positive | None = Field(
        default=None, description="labels for the win rate where the oracle has no free reward, beside the budget"
    )
    money: Money | None = Field(default=None, description="what those labels may cost in all")
    oracle: Part | None = Field(
        default=None, description="who judges the held-out answers and is never trained on; null is the run's oracle"
    )


class ConsistencyConfig(Section):
    """How the labels themselves are checked, beside the budget."""

    share: float = Field(default=0.1, gt=0, le=1, description="share of the labels that are asked for again")
    labels: Positive | None = Field(default=None, description="checks that may be bought; null is no limit")
    money: Money | None = Field(default=None, description="what the checks may cost in all")
    oracle: Part | None = Field(
        default=None, description="who is asked; null asks the run's oracle with the responses the other way round"
    )


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Tracker = Literal["tensorboard", "wandb", "trackio"]


class RunConfig(Section):
    """A run, resolved: what `boldly.config.read_config` makes of defaults, recipe, file, environment and flags."""

    recipe: str = Field(default="default", description="named composition that the other keys start from")
    model: str = Field(default="bundled", description="`bundled`, `bundled-rare`, a directory, or a name on the Hub")
    adapter: AdapterConfig | None = Field(default=None, description="train low-rank adapters; null trains all weights")
    dtype: Literal["auto", "float32", "bfloat16", "float64"] = Field(default="auto", description="type of the weights")
    checkpointing: bool | Literal["auto"] = Field(
        default="auto", description="compute activations twice when training; auto is where they don't fit otherwise"
    )
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:1 or mps"
    )
    chat: bool | Literal["auto"] = Field(default="auto", description="put prompts through the model's chat template")
    threads: Positive | Literal["auto"] = Field(
        default="auto", description="CPU threads; auto is 1 with a bundled model"
    )
    prompts: str = Field(default="bundled", description="`bundled`, or a file: .jsonl, .txt or .csv")
    prompt_column: str = Field(default="prompt", description="the column of the file that holds the prompt")
    heldout: str | Positive = Field(
        default="auto",
        description="a file of its own, or how many to split off the prompts; auto is a fifth, at most 256",
    )
    oracle: Part = Field(
        default=Part.model_validate({"name": "bradley_terry", "function": "boldly.data.task:reward", "scale": 6.0}),
        description="who says which response is better",
    )
    budget: Positive = Field(default=256, description="labels that may be bought")
    money: Money | None = Field(
        default=None, description="what those labels may cost in all, in the currency of the oracle's prices"
    )
    labels: str = Field(
        default="", description="train on the labels of this run, ledger or file, and buy none; the oracle only judges"
    )
    ledger: str = Field(
        default="", description="postgresql://host/database?schema=NAME; the run's directory if not given"
    )
    output: str = Field(default="", description="the run's directory; runs/RECIPE-seedN if not given")
    seed: int = Field(default=0, ge=0, description="of everything that is drawn at random")
    sampler: Part = Field(description="who draws the responses")
    selector: Part = Field(description="which pairs deserve a label")
    reference: Part = Field(description="the policy that the KL term is taken against")
    objective: Part | None = Field(default=None, description="the loss, where the learner fits one")
    learner: Part = Field(description="what fits the policy")
    hypotheses: dict[str, Any] | None = Field(
        default=None, description="reward hypotheses: {} for their defaults, null for none"
    )
    schedule: ScheduleConfig = Field(default=ScheduleConfig(), description="how much happens in a round")
    generation: GenerationConfig = Field(default=GenerationConfig(), description="how responses are drawn")
    evaluation: EvaluationConfig = Field(default=EvaluationConfig(), description="how iterates are judged")
    consistency: ConsistencyConfig | None = Field(
        default=None, description="how labels are checked: {} for a tenth, the other way round; null for no checks"
    )
    rehearsal: dict[str, Any] | None = Field(
        default=None, description="options of the simulated labeller of `--rehearse`; null is what suits the oracle"
    )
    report_to: Annotated[tuple[Tracker, ...], BeforeValidator(_several), Field(strict=False)] = Field(
        default=(), description="trackers: tensorboard, wandb, trackio"
    )
    merge: bool = Field(default=False, description="merge the adapters into the model that is written")

    @property
    def bundled(self) -> bool:
        """Whether the model is one of those that come with boldly."""
        return self.model in ("bundled", "bundled-rare")

    @property
    def ahead(self) -> int:
        """How many rounds are asked before they are needed: those of people, who would wait for the learner."""
        if self.schedule.ahead == "auto":
            return int(self.oracle.name == "people" and not self.labels)
        return self.schedule.ahead


PARTS = ("oracle", "sampler", "selector", "reference", "objective", "learner")
PART_KEYS: tuple[tuple[str, ...], ...] = (
    *((name,) for name in PARTS),
    ("evaluation", "oracle"),
    ("consistency", "oracle"),
)
"""Where a configuration names a method with its options; the last word of each key is the method's kind."""

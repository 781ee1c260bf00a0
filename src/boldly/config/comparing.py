"""What a comparison of two models is: who is compared on which prompts, how they answer, and who judges.

Light to import; only an oracle that is not people needs the methods, and so torch.
"""

import random
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from boldly.config.documents import read_document, written
from boldly.config.finished import BUNDLED, Found, fingerprint
from boldly.config.locations import COMPARISON_FILE
from boldly.config.lot import LOT_FILE, read_lot, write_lot
from boldly.config.prompt_files import read_prompts
from boldly.config.prompts import load_prompts
from boldly.config.schema import GenerationConfig, Money, Part, Positive, Section
from boldly.data import heldout_prompts
from boldly.errors import ConfigError, PromptsError, StorageError
from boldly.ledger.lock import Lock
from boldly.lm.inspect import is_hub_name
from boldly.randomness import derive
from boldly.types import Prompt

ANSWERS_FILE = "answers.jsonl"
"""What the models answered, in the order of the lot; `boldly.metrics.answers` reads it."""
_LOCK_FILE = "comparison.lock"
_OWN_MODEL_TOKENS = 256
_NEVER: Mapping[str, str] = {
    "recorded": "holds verdicts of other answers than these",
    "self": "is the model that is trained, and here none is",
}


class Compared(Section):
    """A model as it was named, and a fingerprint of its weights."""

    model: str
    weights: str


class ComparisonConfig(Section):
    """A comparison on `labels` prompts, `horizon` of them at first; answers to the first `drawn` are put up."""

    a: Compared
    b: Compared
    prompts: str
    labels: Positive
    horizon: Positive
    money: Money | None = None
    max_tokens: Positive
    temperature: float = Field(gt=0)
    stop: list[str] = Field(default=[])
    seed: int = Field(ge=0)
    oracle: Part
    drawn: int = Field(default=0, ge=0)


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody wrote of a comparison; None is what they left to the comparison's directory or to the models."""

    prompts: Path | None = None
    prompt_column: str = "prompt"
    labels: int | None = None
    money: float | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    oracle: Mapping[str, str] | None = None


def default_directory(a: str, b: str) -> Path:
    """Where a comparison lies that was given no directory."""
    return Path("comparisons") / f"{_short(a)}-vs-{_short(b)}"


def _short(model: str) -> str:
    """The last word of a model's name that says something, fit for a directory's name."""
    path = Path(model).expanduser()
    word = (path.parent if path.name == "model" else path).resolve().name if path.exists() else path.name
    return re.sub(r"[^\w.-]+", "-", word).strip("-.") or "model"


def saved_comparison(folder: Path) -> ComparisonConfig | None:
    """The comparison in a directory; None where there is none. Raises `ConfigError` for a file that was damaged."""
    path = folder / COMPARISON_FILE
    if not path.is_file():
        return None
    try:
        return ComparisonConfig.model_validate(read_document(path).values)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"{path}: `{'.'.join(map(str, first['loc']))}` can't be used ({first['msg']}): restore the file, or write "
            "`--output DIR` for a new comparison."
        ) from None


def save_comparison(folder: Path, config: ComparisonConfig) -> None:
    """Keep a comparison in its directory. Raises `StorageError` where that can't be written."""
    path = folder / COMPARISON_FILE
    try:
        partial = path.with_suffix(".tmp")
        text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{folder} can't be written ({error.strerror or error}): write `--output DIR` with a directory that can."
    )


@dataclass(frozen=True, slots=True)
class Begun:
    """A comparison that may go on, its prompts in the order of their lot, what to know of it, and what it was."""

    config: ComparisonConfig
    prompts: tuple[Prompt, ...]
    notes: tuple[str, ...] = ()
    before: ComparisonConfig | None = None


def begun_comparison(folder: Path, a: Found, b: Found, given: Given) -> Begun:
    """The comparison of two models that `folder` and `given` make together; nothing is written.

    A comparison that is there goes on, with more labels and other money at most; one without any answer is begun anew.
    Raises `ConfigError` for numbers that can't be, where `folder` holds another comparison or something else, where a
    model has changed since it answered, and where no prompts are known; `PromptsError` for prompts that can't be read.
    """
    _refuse_impossible(given)
    old = saved_comparison(folder)
    if old is None:
        _refuse_occupied(folder)
    if old is None or not (old.drawn or (folder / ANSWERS_FILE).is_file()):
        return replace(_new(a, b, given), before=old)
    _refuse_others(folder, old, a, b)
    _refuse_changes(folder, old, given)
    return replace(_continued(folder, old, given), before=old)


@contextmanager
def writing(folder: Path, begun: Begun) -> Generator[None]:
    """Keep a comparison in its directory, and let no other process draw answers for it while the block runs.

    Raises `StorageError` where it can't be written, and where another process is at it or was in the meantime.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    lock = Lock(folder / _LOCK_FILE)
    try:
        if saved_comparison(folder) != begun.before:
            raise StorageError(f"another process has just begun the comparison in {folder}: give the command again.")
        if not (folder / ANSWERS_FILE).is_file():
            write_lot(folder, begun.prompts)
        save_comparison(folder, begun.config)
        yield
    finally:
        lock.release()


def _refuse_occupied(folder: Path) -> None:
    if folder.exists() and not (folder.is_dir() and {path.name for path in folder.iterdir()} <= {_LOCK_FILE, LOT_FILE}):
        raise ConfigError(
            f"{folder} holds something that is no comparison of boldly, so nothing was written there: write "
            "`--output DIR` with a directory of its own."
        )


def _refuse_impossible(given: Given) -> None:
    """Raise `ConfigError` for a number that no comparison can have."""
    for name in ("labels", "max_tokens", "temperature"):
        value = getattr(given, name)
        if value is not None and not value > 0:
            raise ConfigError(f"--{_flag(name)}: is {value}, which asks for nothing: write a number above 0.")
    for name in ("money", "seed"):
        value = getattr(given, name)
        if value is not None and not value >= 0:
            raise ConfigError(f"--{name}: is {value}, which is below 0: write 0 or more.")


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _new(a: Found, b: Found, given: Given) -> Begun:
    """A comparison that nobody has begun, its prompts in an order drawn by lot."""
    _refuse_unknown(a)
    _refuse_unknown(b)
    prompts, where, notes = _prompts(a, b, given)
    generation, further = _generation(a, b)
    labels, shortage = _labels(len(prompts) if given.labels is None else given.labels, len(prompts))
    seed = given.seed or 0
    random.Random(derive(seed, "compare", "prompts")).shuffle(prompts)
    config = ComparisonConfig(
        a=Compared(model=a.name, weights=fingerprint(a)),
        b=Compared(model=b.name, weights=fingerprint(b)),
        prompts=where,
        labels=labels,
        horizon=labels,
        money=given.money,
        max_tokens=given.max_tokens or generation.max_tokens,
        temperature=given.temperature or generation.temperature,
        stop=generation.stop,
        seed=seed,
        oracle=_oracle(given.oracle or {}),
    )
    return Begun(config, tuple(prompts), (*notes, *further, *shortage))


def _refuse_unknown(found: Found) -> None:
    if isinstance(found.source, str) and not is_hub_name(found.source):
        raise ConfigError(
            f"there is no model {found.name}: write `bundled`, a run's directory, a directory that holds config.json, "
            "or a name on the Hub."
        )


def _continued(folder: Path, old: ComparisonConfig, given: Given) -> Begun:
    prompts = read_lot(folder)
    if given.labels is not None and given.labels < old.drawn:
        raise ConfigError(
            f"--labels: is {given.labels}, and {old.drawn} pairs of {folder} are put up already: leave it away, or "
            "write more."
        )
    labels, shortage = _labels(old.labels if given.labels is None else given.labels, len(prompts))
    money = old.money if given.money is None else given.money
    return Begun(old.model_copy(update={"labels": labels, "money": money}), prompts, shortage)


def _labels(wanted: int, there: int) -> tuple[int, tuple[str, ...]]:
    if wanted <= there:
        return wanted, ()
    return there, (f"there are {there} prompts, so {there} pairs are compared and not {wanted}.",)


def _generation(a: Found, b: Found) -> tuple[GenerationConfig, tuple[str, ...]]:
    """How both models answer: as the first run among them did."""
    runs = [found for found in (a, b) if found.config is not None]
    if not runs:
        small = a.bundled or b.bundled  # whose context is as small
        return GenerationConfig() if small else GenerationConfig(max_tokens=_OWN_MODEL_TOKENS), ()
    first, *others = ((found.name, found.config.generation) for found in runs if found.config is not None)
    differ = any(_drawing(other) != _drawing(first[1]) for _, other in others)
    stop = f", stop {written(first[1].stop)}" if first[1].stop else ""
    note = (
        f"the two runs drew their answers otherwise; here both do as {first[0]}: max_tokens {first[1].max_tokens}, "
        f"temperature {first[1].temperature:g}{stop}."
    )
    return first[1], (note,) if differ else ()


def _drawing(generation: GenerationConfig) -> tuple[int, float, list[str]]:
    return generation.max_tokens, generation.temperature, generation.stop


def _oracle(flags: Mapping[str, str]) -> Part:
    """Who judges, with every option: people, or what `--oracle.*` says, which is read as a run's is."""
    from boldly.config.reading import read_settings

    named = {} if {"oracle", "oracle.name"} & flags.keys() else {"oracle.name": "people"}
    part = read_settings(flags={**named, **flags})[0].oracle
    if part.name in _NEVER:
        raise ConfigError(
            f"`oracle` is {part.name}, which {_NEVER[part.name]}: write `--oracle.name judge` or `people`."
        )
    return part


def _prompts(a: Found, b: Found, given: Given) -> tuple[list[Prompt], str, tuple[str, ...]]:
    """The different prompts to answer, where they are from, and whether a model was trained on them."""
    source = next((found for found in (a, b) if found.config is not None), None)
    if given.prompts is not None:
        rows = [prompt for _, prompt in read_prompts(given.prompts, given.prompt_column)]
        where = str(given.prompts)
    elif source is not None and source.config is not None:
        try:
            rows = list(load_prompts(source.config).heldout)
        except PromptsError as error:
            raise PromptsError(f"{error} They are those of {source.name}; or write `--prompts FILE`.") from None
        where = f"held out from {source.name}"
    elif a.name in BUNDLED or b.name in BUNDLED:
        rows, where = heldout_prompts(), "bundled"
    else:
        raise ConfigError(
            f"neither {a.name} nor {b.name} is a run, so no prompts are known that they were not trained on: write "
            "`--prompts FILE` with a .jsonl, .txt or .csv file of them."
        )
    kept = list({prompt.id: prompt for prompt in rows}.values())
    return kept, where, tuple(note for found in (a, b) if (note := _trained_on(found, kept)))


def _trained_on(found: Found, prompts: Sequence[Prompt]) -> str:
    """That a model knows prompts from its training, which flatters it."""
    if found.config is None:
        return ""
    try:
        trained = {prompt.content for prompt in load_prompts(found.config).train}
    except PromptsError:
        return f"the prompts of {found.name} can't be read any more, so it may have been trained on some of these."
    known = sum(prompt.content in trained for prompt in prompts)
    return f"{found.name} was trained on {known} of these {len(prompts)} prompts, which flatters it." if known else ""


def _refuse_others(folder: Path, old: ComparisonConfig, a: Found, b: Found) -> None:
    """Raise `ConfigError` if `folder` compares other models, or if one of them is not what it was when it answered."""
    for was, found in ((old.a, a), (old.b, b)):
        gone = isinstance(found.source, str) and not was.weights.startswith("hub:") and found.name == was.model
        if fingerprint(found) == was.weights or (gone and old.drawn == old.labels):
            continue
        if found.name == was.model:
            raise ConfigError(
                f"{found.name} has changed since its answers in {folder} were drawn, so they are not its own any more: "
                f"write `--output DIR` for a new comparison; `boldly compare {folder}` shows what the old one found."
            )
        raise ConfigError(
            f"{folder} compares {old.a.model} with {old.b.model}, and not {a.name} with {b.name}: write "
            f"`boldly compare {old.a.model} {old.b.model}` to go on, or `--output DIR` for a new comparison."
        )


def _refuse_changes(folder: Path, old: ComparisonConfig, given: Given) -> None:
    """Raise `ConfigError` for settings that the answers in `folder` were not drawn, or its labels not given, with."""
    oracle = None if given.oracle is None else _oracle(given.oracle)
    wanted = {
        "prompts": None if given.prompts is None else str(given.prompts),
        "max_tokens": given.max_tokens,
        "temperature": given.temperature,
        "seed": given.seed,
        **({} if oracle is None else _options(oracle)),
    }
    begun = {**old.model_dump(), **_options(old.oracle)}
    for name, value in wanted.items():
        was = begun.get(name)
        if value is not None and value != was:
            raise ConfigError(
                f"`{name}` was {was} when {folder} was begun, and is {value} now: leave it away to go on, or write "
                "`--output DIR` for a new comparison."
            )


def _options(oracle: Part) -> dict[str, Any]:
    return {"oracle.name": oracle.name, **{f"oracle.{name}": value for name, value in oracle.options.items()}}
